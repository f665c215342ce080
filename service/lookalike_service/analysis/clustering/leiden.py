"""Leiden communities of the graph of nearest neighbours, by graspologic-native: their number is found.

Traag, Waltman and van Eck 2019, doi:10.1038/s41598-019-41695-z, by modularity. Of the implementations the
fast ones are igraph's and leidenalg's, under the GPL, and this one in Rust under the MIT licence.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import graspologic_native
import numpy as np

from lookalike_service.analysis.clustering.assign import keep_members
from lookalike_service.analysis.clustering.fit import Fit, number_by_size
from lookalike_service.analysis.clustering.neighbours import neighbour_graph
from lookalike_service.analysis.points import Points

_ITERATIONS = 10


def fit(points: Points, parameters: Mapping[str, Any], seed: int) -> Fit:
    """Cluster; `modularity`, at most 1, is how much more edges lie within clusters than by chance."""
    graph = neighbour_graph(points, parameters["n_neighbors"])
    modularity, found = graspologic_native.leiden_csr(
        graph.indptr.astype(np.int64),
        graph.indices.astype(np.int32),
        graph.data.astype(np.float64),
        len(points),
        resolution=parameters["resolution"],
        iterations=_ITERATIONS,
        seed=seed,
    )
    labels, _ = number_by_size(np.array([found[row] for row in range(len(points))]))
    return Fit(labels, keep_members(points, labels, seed), {"modularity": float(modularity)})
