"""Spectral clustering of the graph of nearest neighbours, by scikit-learn: clusters of any shape, k of them.

Ng, Jordan and Weiss 2001; labels from the eigenvectors by pivoted QR (Damle, Minden and Ying 2019,
doi:10.1093/imaiai/iay008), which has no random start.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.cluster import spectral_clustering

from lookalike_service.analysis.clustering.assign import keep_members
from lookalike_service.analysis.clustering.fit import Fit, number_by_size
from lookalike_service.analysis.clustering.neighbours import neighbour_graph
from lookalike_service.analysis.points import Points


def fit(points: Points, parameters: Mapping[str, Any], seed: int) -> Fit:
    """Cluster. The seed starts the eigensolver and draws the members that the assigner keeps."""
    k = parameters["k"]
    if k in (1, len(points)):
        found = np.arange(len(points)) % k
    else:
        with warnings.catch_warnings():
            # Clusters without an edge between them are what is looked for.
            warnings.filterwarnings("ignore", message="Graph is not fully connected")
            warnings.filterwarnings("ignore", message="k >= N", category=RuntimeWarning)
            found = spectral_clustering(
                neighbour_graph(points, parameters["n_neighbors"]),
                n_clusters=k,
                assign_labels="cluster_qr",
                random_state=seed,
            )
    labels, _ = number_by_size(found)
    return Fit(labels, keep_members(points, labels, seed))
