"""HDBSCAN: density-based, finds the number of clusters, leaves noise.

Campello, Moulavi and Sander 2013, doi:10.1007/978-3-642-37456-2_14. Distances are Euclidean: on vectors of
unit length they order neighbours as the cosine does. The spanning tree is our own, which is where the time
goes; the hierarchy is read from it by scikit-learn, whose labels these are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from sklearn.cluster import HDBSCAN

from lookalike_service.analysis.clustering.assign import keep_members
from lookalike_service.analysis.clustering.fit import Fit, number_by_size
from lookalike_service.analysis.clustering.spanning_tree import Edges, spanning_tree
from lookalike_service.analysis.points import Points

_NOTHING = 1e-6


def fit(points: Points, parameters: Mapping[str, Any], seed: int) -> Fit:
    """Cluster. The seed only draws the members that the assigner keeps."""
    min_samples = parameters["min_samples"] or parameters["min_cluster_size"]
    tree = _as_graph(spanning_tree(points, min_samples), len(points))
    # Of the tree alone every point's nearest is at the end of its shortest edge, which is no shorter than
    # either density asks for: with one sample the lengths stay as they are.
    options = {**parameters, "min_samples": 1, "metric": "precomputed", "copy": True}
    model = HDBSCAN(**options).fit(tree)
    labels, _ = number_by_size(model.labels_)
    return Fit(labels, keep_members(points, labels, seed))


def _as_graph(edges: Edges, count: int) -> csr_array:
    """The tree as a symmetric sparse matrix, in which an edge of no length would be none."""
    left, right, lengths = edges
    shortest = lengths[lengths > 0].min(initial=1.0)
    lengths = np.maximum(lengths, shortest * _NOTHING)
    rows, columns = np.concatenate([left, right]), np.concatenate([right, left])
    return csr_array((np.tile(lengths, 2), (rows, columns)), shape=(count, count))
