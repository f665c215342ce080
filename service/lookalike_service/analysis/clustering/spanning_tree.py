"""The minimum spanning tree of mutual reachability, which HDBSCAN's hierarchy is read from: exact.

By Borůvka's rounds (1926; for this graph March, Ram and Gray 2010, doi:10.1145/1835804.1835882): the nearest
edge out of each group of joined points joins it to another. The nearest neighbours, which give the densities,
find most edges; what they cannot vouch for is looked for among all points. A point is left out of that
search while its group has a shorter edge than any the point can have, and so is the largest group, which
the others come to.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from threadpoolctl import threadpool_limits

from lookalike_service.analysis.compiled import threads
from lookalike_service.analysis.neighbour_graph import nearest_neighbours
from lookalike_service.analysis.points import Points

_NEIGHBOURS = 16
_PROBED = 16  # points of a group that has no edge out yet, to find one that bounds the search of the others
_ROWS, _COLUMNS = 256, 8192

Edges = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]


def spanning_tree(points: Points, min_samples: int) -> Edges:
    """Both ends int64 (n - 1,) of the tree's edges and their lengths float64 (n - 1,), by rising length.

    `points`: float32 (n, dim), n at least 2. The length of an edge is the largest of the distance between its
    ends and of either's distance to the `min_samples`-th of the points nearest to it, itself included
    (1 to n). Distances are compared in float32.
    """
    search = _Search(points, min_samples)
    while search.groups > 1:
        search.look()
        search.join()
    return search.edges()


class _Search:
    """Each point's nearest point of another group as far as it is known, and how near any can be.

    `reach`, `other`: the length of the edge to it and its row, infinite and -1 where none is known;
    `least`: a lower bound on the length of any edge to another group. Both are equal where the edge is
    surely the shortest.
    """

    def __init__(self, points: Points, min_samples: int) -> None:
        n = len(points)
        k = min(max(min_samples - 1, _NEIGHBOURS), n - 1)
        found = nearest_neighbours(points, k)
        self.points = points - points.mean(axis=0, dtype=np.float64).astype(np.float32)
        self.norms = np.einsum("nd,nd->n", self.points, self.points)
        self.cores = np.zeros(n, dtype=np.float32)
        if min_samples > 1:
            self.cores = np.ascontiguousarray(found.distances[:, min_samples - 2])
        self._nearest = found.indices
        cores = np.maximum(self.cores[:, None], self.cores[found.indices])
        self._lengths = np.maximum(found.distances, cores)
        self.group = np.arange(n)
        self.groups = n
        self.reach = np.full(n, np.inf, dtype=np.float32)
        self.other = np.full(n, -1, dtype=np.int64)
        # Those that are not among a point's nearest are as far as the last of them. All there are, if k is.
        last = np.maximum(found.distances[:, -1], self.cores)
        self.least = np.where(k == n - 1, np.float32(np.inf), last).astype(np.float32)
        self._ends: list[NDArray[np.int64]] = []
        self._found: list[NDArray[np.float32]] = []
        self._exhausted = False

    def look(self) -> None:
        """Find the shortest edge out of each group, but for the largest."""
        self._forget_joined()
        self._look_among_nearest()
        searched = self.group != np.bincount(self.group).argmax()
        if not self._exhausted:
            return
        lost = np.isinf(self._bounds())
        self._look_among_all(self._probes(searched & lost[self.group]))
        bounds = self._bounds()
        doubtful = searched & (self.least < self.reach) & (self.least < bounds[self.group])
        self._look_among_all(np.flatnonzero(doubtful))

    def join(self) -> None:
        """Join the groups along the edges found that are surely the shortest."""
        bounds = self._bounds()
        least = np.full(self.groups, np.inf, dtype=np.float32)
        np.minimum.at(least, self.group, np.minimum(self.least, self.reach))
        sure = np.isfinite(bounds) & (least >= bounds)
        if not sure.any():
            self._exhausted = True
            return
        order = np.lexsort((self.reach, self.group))
        first = order[np.searchsorted(self.group[order], np.arange(self.groups))]
        self._add(first[sure])

    def edges(self) -> Edges:
        """The edges found, as `spanning_tree` returns them."""
        left, right = np.concatenate(self._ends, axis=1)
        lengths = np.concatenate(self._found).astype(np.float64)
        order = np.argsort(lengths, kind="stable")
        return left[order], right[order], lengths[order]

    def _bounds(self) -> NDArray[np.float32]:
        """The length of the shortest edge known out of each group."""
        bounds = np.full(self.groups, np.inf, dtype=np.float32)
        np.minimum.at(bounds, self.group, self.reach)
        return bounds

    def _forget_joined(self) -> None:
        joined = (self.other >= 0) & (self.group[self.other] == self.group)
        self.reach[joined], self.other[joined] = np.inf, -1

    def _look_among_nearest(self) -> None:
        unknown = np.flatnonzero(self.other < 0)
        away = self.group[self._nearest[unknown]] != self.group[unknown, None]
        lengths = np.where(away, self._lengths[unknown], np.float32(np.inf))
        best = lengths.argmin(axis=1)
        found = lengths[np.arange(len(unknown)), best]
        known = np.isfinite(found)
        rows = unknown[known]
        self.reach[rows] = found[known]
        self.other[rows] = self._nearest[rows, best[known]]

    def _probes(self, wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
        """A few of these points of each group: those farthest from the mean, as likely nearest to others."""
        rows = np.flatnonzero(wanted)
        order = rows[np.lexsort((-self.norms[rows], self.group[rows]))]
        groups = self.group[order]
        place = np.arange(len(order)) - np.searchsorted(groups, groups)
        return np.sort(order[place < _PROBED])

    def _look_among_all(self, rows: NDArray[np.int64]) -> None:
        """Find the shortest edge out of each of these points' groups."""
        rows = rows[np.argsort(self.group[rows], kind="stable")]
        parts = threads()
        blocks = [rows[at : at + _ROWS] for at in range(0, len(rows), _ROWS)]
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(parts) as pool:
            list(pool.map(self._look_among_all_of, (blocks[part::parts] for part in range(parts))))

    def _look_among_all_of(self, blocks: list[NDArray[np.int64]]) -> None:
        # Imported when first used: numba takes a second, which the service's start need not wait for.
        from lookalike_service.analysis.clustering.spanning_kernel import keep_shortest  # noqa: PLC0415

        n = len(self.points)
        products = np.empty((_ROWS, _COLUMNS), dtype=np.float32)
        squared_cores = self.cores**2
        for rows in blocks:
            own, shortest = self.points[rows], np.full(len(rows), np.inf, dtype=np.float32)
            other = np.full(len(rows), -1, dtype=np.int64)
            for left in range(0, n, _COLUMNS):
                part = slice(left, min(left + _COLUMNS, n))
                block = products[: len(rows), : part.stop - left]
                np.matmul(own, self.points[part].T, out=block)
                keep_shortest(
                    block,
                    self.norms[rows],
                    self.norms[part],
                    squared_cores[part],
                    self.group[rows],
                    self.group[part],
                    left,
                    shortest,
                    other,
                )
            found = np.maximum(np.sqrt(np.maximum(shortest, 0)), self.cores[rows])
            self.reach[rows], self.other[rows], self.least[rows] = found, other, found

    def _add(self, rows: NDArray[np.int64]) -> None:
        """Join along these points' edges, leaving out those that equal lengths made into rings."""
        ends = np.stack([self.group[rows], self.group[self.other[rows]]])
        order = np.argsort(self.reach[rows], kind="stable")
        kept = order[_forest(ends[:, order], self.groups)]
        rows = rows[kept]
        self._ends.append(np.stack([rows, self.other[rows]]))
        self._found.append(self.reach[rows].copy())
        graph = csr_array((np.ones(len(kept), np.int8), tuple(ends[:, kept])), (self.groups,) * 2)
        self.groups, merged = connected_components(graph, directed=False)
        self.group = merged[self.group].astype(np.int64)


def _forest(ends: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    """Which of these edges, in turn, join what is not joined by those before: (edges,) of ends (2, edges)."""
    parent = list(range(count))
    kept = np.zeros(ends.shape[1], dtype=np.bool_)

    def root(of: int) -> int:
        while parent[of] != of:
            parent[of] = of = parent[parent[of]]
        return of

    for at, (left, right) in enumerate(ends.T.tolist()):
        one, two = root(left), root(right)
        if one != two:
            parent[one] = two
            kept[at] = True
    return kept
