"""Groups of duplicates, each around the picture to keep."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components


@dataclass(frozen=True, slots=True, eq=False)
class Grouping:
    """`leader`: int32 (n,), the node that each one is a duplicate of, or itself.

    `link`: int32 (n,), the pair that says so, -1 for a leader. `cut`: how many connected components were more
    than one group.
    """

    leader: NDArray[np.int32]
    link: NDArray[np.int32]
    cut: int


def group(
    first: NDArray[np.int32], second: NDArray[np.int32], order: NDArray[np.int64]
) -> Grouping:
    """Group nodes by pairs: each is a duplicate of its group's leader, not just of another of the group.

    `order`: all nodes, (n,), the best first; each that is in no group yet leads one of all its duplicates
    that are in none. So a chain of small steps whose ends have nothing in common is cut.
    """
    nodes = len(order)
    leader = np.arange(nodes, dtype=np.int32)
    link = np.full(nodes, -1, np.int32)
    numbers = np.arange(1, len(first) + 1)  # a stored zero would be no edge
    both = (np.concatenate([first, second]), np.concatenate([second, first]))
    graph = csr_array((np.concatenate([numbers, numbers]), both), shape=(nodes, nodes))
    free = np.ones(nodes, dtype=bool)
    linked = np.diff(graph.indptr) > 0
    for node in order[linked[order]].tolist():
        if not free[node]:
            continue
        free[node] = False
        span = slice(graph.indptr[node], graph.indptr[node + 1])
        others, pairs = graph.indices[span], graph.data[span] - 1
        mine = free[others]
        leader[others[mine]], link[others[mine]] = node, pairs[mine]
        free[others[mine]] = False
    return Grouping(leader, link, _cut(graph, leader, linked))


def _cut(graph: csr_array, leader: NDArray[np.int32], linked: NDArray[np.bool_]) -> int:
    _, component = connected_components(graph, directed=False)
    leaders = np.unique(leader[linked])
    _, groups = np.unique(component[leaders], return_counts=True)
    return int((groups > 1).sum())
