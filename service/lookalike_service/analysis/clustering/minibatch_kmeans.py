"""k-means on batches of points drawn at random, by scikit-learn: a little worse than k-means.

Sculley 2010, doi:10.1145/1772690.1772862.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.cluster import MiniBatchKMeans
from sklearn.exceptions import ConvergenceWarning

from lookalike_service.analysis.clustering.assign import NearestCentre
from lookalike_service.analysis.clustering.fit import Fit, number_by_size
from lookalike_service.analysis.clustering.kmeans import check_filled
from lookalike_service.analysis.points import Points


def fit(points: Points, parameters: Mapping[str, Any], seed: int) -> Fit:
    """Cluster; raises InvalidParameters where fewer than k points differ."""
    model = MiniBatchKMeans(
        n_clusters=parameters["k"],
        n_init=parameters["n_init"],
        batch_size=parameters["batch_size"],
        max_iter=parameters["max_iter"],
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # too few different points: see below
        model.fit(points)
    labels, order = number_by_size(model.labels_)
    check_filled("minibatch_kmeans", parameters["k"], len(order), len(points))
    centres = model.cluster_centers_[order].astype(np.float32)
    return Fit(labels, NearestCentre(centres), {"inertia": float(model.inertia_)})
