"""The nearest neighbours of all points: computed once for the same points, and shared by whatever needs them.

Exact up to float32: distances come from matrix products, a block of the points against a block of the
others, and each row keeps its nearest. On vectors of unit length Euclidean distances order neighbours as
the cosine does.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from threading import Lock

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from lookalike_service.analysis.compiled import threads
from lookalike_service.analysis.points import Points
from lookalike_service.analysis.progress import Progress, silent

KEPT_BYTES = 256 * 2**20
"""Graphs are kept in memory up to this size together; the one used longest ago goes first."""
_COLUMNS, _ROWS = 8192, 256  # a block of scores is 8 MB
_DIFFERENCES = 2**24  # numbers: 64 MB


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Each point's k nearest others, nearest first, equal ones by row; read-only.

    `indices`: int32 (n, k). `distances`: float32 (n, k), Euclidean.
    """

    indices: NDArray[np.int32]
    distances: NDArray[np.float32]

    def nearest(self, k: int) -> Neighbours:
        """The first k of them."""
        return Neighbours(self.indices[:, :k], self.distances[:, :k])


def nearest_neighbours(points: Points, k: int, progress: Progress = silent) -> Neighbours:
    """The k nearest others of each point of float32 (n, dim); k from 1 to n - 1. Thread-safe.

    Of points seen a short while ago, with as large a k, they are taken from memory.
    """
    key = _fingerprint(points)
    found = _kept.get(key, k)
    if found is None:
        found = _search(points, k, progress)
        _kept.put(key, found)
    return found.nearest(k)


def _fingerprint(points: Points) -> bytes:
    digest = hashlib.blake2b(str(points.shape).encode(), digest_size=16)
    for start in range(0, len(points), _COLUMNS):
        digest.update(np.ascontiguousarray(points[start : start + _COLUMNS]).data)
    return digest.digest()


class _Kept:
    """Graphs by what their points look like. Thread-safe."""

    def __init__(self) -> None:
        self._graphs: OrderedDict[bytes, Neighbours] = OrderedDict()
        self._lock = Lock()

    def get(self, key: bytes, k: int) -> Neighbours | None:
        with self._lock:
            found = self._graphs.get(key)
            if found is None or found.indices.shape[1] < k:
                return None
            self._graphs.move_to_end(key)
            return found

    def put(self, key: bytes, graph: Neighbours) -> None:
        with self._lock:
            self._graphs[key] = graph
            self._graphs.move_to_end(key)
            while sum(map(_size, self._graphs.values())) > KEPT_BYTES:
                self._graphs.popitem(last=False)


_kept = _Kept()


def _size(graph: Neighbours) -> int:
    return graph.indices.nbytes + graph.distances.nbytes


def _search(points: Points, k: int, progress: Progress) -> Neighbours:
    scores = np.full((len(points), k), -np.inf, dtype=np.float32)
    indices = np.full((len(points), k), -1, dtype=np.int32)
    # Around their centre the points are short, so that less is lost to rounding.
    centre = points.mean(axis=0, dtype=np.float64).astype(np.float32)
    tops = range(0, len(points), _ROWS)
    parts = threads()
    # Threads of our own, each with its own products and its own rows: those of BLAS and of a compiled
    # loop would wait for each other in turn, and spin.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(parts) as pool:
        for left in range(0, len(points), _COLUMNS):
            progress("finding neighbours", left, len(points))
            columns = points[left : left + _COLUMNS] - centre
            search = partial(_search_block, points, centre, columns, left, scores, indices)
            list(pool.map(search, (tops[part::parts] for part in range(parts))))
    return _ordered(points, indices)


def _search_block(  # noqa: PLR0917 - mapped over its last argument
    points: Points,
    centre: NDArray[np.float32],
    columns: Points,
    left: int,
    scores: NDArray[np.float32],
    indices: NDArray[np.int32],
    tops: Iterable[int],
) -> None:
    """Set the rows that begin at `tops` against the columns, which begin at `left`."""
    # Imported when first used: numba takes a second, which the service's start need not wait for.
    from lookalike_service.analysis.neighbour_kernels import keep_nearest  # noqa: PLC0415

    halves = np.einsum("nd,nd->n", columns, columns) / 2
    block = np.empty((_ROWS, len(columns)), dtype=np.float32)
    for top in tops:
        rows = slice(top, min(top + _ROWS, len(points)))
        products = block[: rows.stop - top]
        np.matmul(points[rows] - centre, columns.T, out=products)
        keep_nearest(products, halves, left, top, scores[rows], indices[rows])


def _ordered(points: Points, indices: NDArray[np.int32]) -> Neighbours:
    """The neighbours with their distances, from differences, which matrix products lose digits of."""
    distances = np.empty(indices.shape, dtype=np.float32)
    at_once = max(1, min(_ROWS, _DIFFERENCES // (indices.shape[1] * points.shape[1])))
    for start in range(0, len(points), at_once):
        rows = slice(start, start + at_once)
        distances[rows] = np.linalg.norm(points[indices[rows]] - points[rows, None], axis=2)
    order = np.lexsort((indices, distances), axis=1)
    found = Neighbours(
        np.take_along_axis(indices, order, axis=1), np.take_along_axis(distances, order, axis=1)
    )
    for array in (found.indices, found.distances):
        array.flags.writeable = False
    return found
