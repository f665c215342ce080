"""k-means with k-means++ seeding, by scikit-learn.

Lloyd 1982, doi:10.1109/TIT.1982.1056489; Arthur and Vassilvitskii 2007 (k-means++). On vectors of
unit length the squared Euclidean distance it minimises is twice the cosine distance.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning

from lookalike_service.analysis.clustering.assign import NearestCentre
from lookalike_service.analysis.clustering.fit import Fit, number_by_size
from lookalike_service.analysis.points import Points
from lookalike_service.errors import InvalidParameters


def fit(points: Points, parameters: Mapping[str, Any], seed: int) -> Fit:
    """Cluster; raises InvalidParameters where fewer than k points differ."""
    model = KMeans(
        n_clusters=parameters["k"],
        n_init=parameters["n_init"],
        max_iter=parameters["max_iter"],
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # too few different points: see below
        model.fit(points)
    labels, order = number_by_size(model.labels_)
    if len(order) < parameters["k"]:
        raise InvalidParameters(
            f"kmeans: k is {parameters['k']}, but only {len(order)} of the {len(points)} points "
            f"differ; allowed here: 1 to {len(order)}"
        )
    return Fit(
        labels,
        NearestCentre(model.cluster_centers_[order].astype(np.float32)),
        {"inertia": float(model.inertia_), "iterations": float(model.n_iter_)},
    )
