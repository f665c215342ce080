"""Agglomerative clustering, by scikit-learn: the nearest two clusters are merged until k are left.

Ward 1963, doi:10.1080/01621459.1963.10500845, for the linkage of that name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn.cluster import AgglomerativeClustering

from lookalike_service.analysis.clustering.assign import keep_members
from lookalike_service.analysis.clustering.fit import Fit, number_by_size
from lookalike_service.analysis.points import Points


def fit(points: Points, parameters: Mapping[str, Any], seed: int) -> Fit:
    """Cluster. The seed only draws the members that the assigner keeps."""
    k = parameters["k"]
    model = AgglomerativeClustering(n_clusters=k, linkage=parameters["linkage"])
    labels, _ = number_by_size(model.fit_predict(points))
    return Fit(labels, keep_members(points, labels, seed))
