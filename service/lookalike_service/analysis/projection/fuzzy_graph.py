"""The weighted graph of neighbours that UMAP lays out.

McInnes, Healy and Melville 2018, arXiv:1802.03426.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from lookalike_service.analysis.neighbour_graph import Neighbours

_STEPS = 64
_CLOSE_ENOUGH = 1e-5
_LEAST_WIDTH = 1e-3
_ROWS = 8192


def fuzzy_graph(neighbours: Neighbours) -> csr_array:
    """Symmetric weights in (0, 1], float32 (n, n): how surely two points are neighbours.

    A point's own neighbours, by exp(-(distance - nearest) / width) with the width at which they sum to
    the logarithm of their number (itself counted), and then: neighbours in the eyes of either.
    """
    count, k = neighbours.indices.shape
    weights = np.concatenate(
        [_memberships(neighbours.distances[at : at + _ROWS]) for at in range(0, count, _ROWS)]
    )
    ends = np.arange(0, count * k + 1, k)
    directed = csr_array(
        (weights.ravel().astype(np.float32), neighbours.indices.ravel(), ends), shape=(count, count)
    )
    return _either(directed)


def nearer_of_a_kind(graph: csr_array, labels: NDArray[np.int64], weight: float) -> csr_array:
    """The graph with less weight on edges between points of different label; -1 is no label.

    Supervised UMAP: `weight` from 0 to below 1 says how much labels count against distances.
    """
    edges = graph.tocoo()
    one, other = labels[edges.row], labels[edges.col]
    unknown = (one == -1) | (other == -1)
    # As umap-learn has it: e⁻¹ for an unknown label, and e⁻⁵ for another one at a weight of one half.
    factors = np.where(unknown, np.exp(-1.0), np.exp(-2.5 / (1 - weight)))
    data = np.where(~unknown & (one == other), edges.data, edges.data * factors)
    graph = csr_array((data.astype(np.float32), (edges.row, edges.col)), shape=graph.shape)
    largest = np.maximum(graph.max(axis=1).toarray().ravel(), 1e-12)
    rows = np.repeat(np.arange(len(labels)), np.diff(graph.indptr))
    graph.data /= largest[rows].astype(np.float32)  # each point is sure of its nearest again
    return _either(graph)


def _either(directed: csr_array) -> csr_array:
    """Probabilistic union with the transpose: p + q - pq."""
    turned = directed.T.tocsr()
    graph = csr_array(directed + turned - directed * turned)
    graph.sort_indices()
    return graph


def _memberships(distances: NDArray[np.float32]) -> NDArray[np.float64]:
    """Weights (n, k) of each point's neighbours from their distances (n, k)."""
    exact = distances.astype(np.float64)
    positive = np.where(exact > 0, exact, np.inf).min(axis=1)
    nearest = np.where(np.isfinite(positive), positive, 0.0)[:, None]
    beyond = np.maximum(exact - nearest, 0)
    widths = np.maximum(_widths(beyond), _LEAST_WIDTH * exact.mean(axis=1))
    weights: NDArray[np.float64] = np.exp(-beyond / np.maximum(widths, 1e-12)[:, None])
    return weights


def _widths(beyond: NDArray[np.float64]) -> NDArray[np.float64]:
    """For each row the width at which exp(-beyond / width) sums to log2(k + 1), by bisection, (n,)."""
    count, k = beyond.shape
    target = np.log2(k + 1)
    low, high, width = np.zeros(count), np.full(count, np.inf), np.ones(count)
    for _ in range(_STEPS):
        excess = np.exp(-beyond / width[:, None]).sum(axis=1) - target
        if (np.abs(excess) < _CLOSE_ENOUGH).all():
            break
        high = np.where(excess > 0, width, high)
        low = np.where(excess > 0, low, width)
        middle = np.where(np.isinf(high), width * 2, (low + high) / 2)
        width = np.where(np.abs(excess) < _CLOSE_ENOUGH, width, np.maximum(middle, 1e-300))
    return width
