"""OPTICS, by scikit-learn: clusters of differing density, the rest is noise.

Ankerst, Breunig, Kriegel and Sander 1999, doi:10.1145/304181.304187. Distances are Euclidean.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.cluster import OPTICS
from threadpoolctl import threadpool_limits

from lookalike_service.analysis.clustering.assign import keep_members
from lookalike_service.analysis.clustering.fit import Fit, number_by_size
from lookalike_service.analysis.points import Points


def fit(points: Points, parameters: Mapping[str, Any], seed: int) -> Fit:
    """Cluster. The seed only draws the members that the assigner keeps."""
    model = OPTICS(
        min_samples=parameters["min_samples"],
        min_cluster_size=parameters["min_cluster_size"],
        xi=parameters["xi"],
        metric="euclidean",
        algorithm="brute",
    )
    # A step for each point is too short to be shared: threads would only wait for each other.
    one_thread = threadpool_limits(1)
    with one_thread, warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        # Equal points have no distance to be dense by, which is said as a ratio of zeros.
        warnings.simplefilter("ignore", RuntimeWarning)
        model.fit(points)
    labels, _ = number_by_size(model.labels_)
    return Fit(labels, keep_members(points, labels, seed))
