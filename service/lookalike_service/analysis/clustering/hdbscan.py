"""HDBSCAN, by scikit-learn: density-based, finds the number of clusters, leaves noise.

Campello, Moulavi and Sander 2013, doi:10.1007/978-3-642-37456-2_14. Distances are Euclidean: on vectors of
unit length they order neighbours as the cosine does. fast_hdbscan is faster, but beyond 30 dimensions only
with approximate neighbours, from which it was seen to find wholly other clusters.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn.cluster import HDBSCAN

from lookalike_service.analysis.clustering.assign import keep_members
from lookalike_service.analysis.clustering.fit import Fit, number_by_size
from lookalike_service.analysis.points import Points

_BRUTE_POINTS = 8192  # all distances at once: several times faster, but 1 GB at this many


def fit(points: Points, parameters: Mapping[str, Any], seed: int) -> Fit:
    """Cluster. The seed only draws the members that the assigner keeps."""
    model = HDBSCAN(
        **parameters,
        algorithm="brute" if len(points) <= _BRUTE_POINTS else "auto",  # the same result
        copy=True,
    ).fit(points)
    labels, _ = number_by_size(model.labels_)
    return Fit(labels, keep_members(points, labels, seed))
