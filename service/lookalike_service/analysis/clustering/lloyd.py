"""Lloyd's k-means iterations on BLAS, with bounds that tell which points can have changed cluster.

Lloyd 1982, doi:10.1109/TIT.1982.1056489. The bounds are those of Ding et al. 2015 (Yinyang k-means, ICML),
which with at most as many centres as groups are Elkan's (2003): they leave out distances whose outcome
is known, so that the result is that of plain Lloyd's iterations. Seeding is greedy k-means++ (Arthur and
Vassilvitskii 2007) with 2 + ln k candidates for each centre, as in scikit-learn.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from threadpoolctl import threadpool_limits

from lookalike_service.analysis.compiled import threads
from lookalike_service.analysis.points import Points

_Part: TypeAlias = slice | NDArray[np.int64]
_Sum: TypeAlias = tuple[NDArray[np.int64], NDArray[np.float32]]

_ROWS_AT_ONCE = 2048  # of 512 dimensions: 4 MB
_COLUMNS = 16
_SAMPLE, _SAMPLE_PER_CENTRE = 10_000, 100
_GROUPS = 32  # lower bounds kept for each point
_ROUNDING = 1e-6  # of a squared distance in float32, relative to the largest squared length
_WORTH_WHILE = 3e-5  # of the inertia; what is left then is about ten times that
_ALL_ROWS = 0.6  # beyond this share of doubtful points, gathering them costs more than it saves


@dataclass(frozen=True, slots=True)
class Partition:
    """Where the iterations ended.

    `labels`: int64 (n,), some of 0 to k - 1 may be absent; `centres`: float32 (k, dim).
    """

    labels: NDArray[np.int64]
    centres: NDArray[np.float32]
    iterations: int


def seed_centres(points: Points, k: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Choose k of the points, float32 (k, dim), far from each other, by greedy k-means++."""
    norms = squared_norms(points)
    centres = np.empty((k, points.shape[1]), dtype=np.float32)
    centres[0] = points[rng.integers(len(points))]
    nearest = _squared(points, norms, centres[:1])[:, 0].astype(np.float64)
    for found in range(1, k):
        candidates = _draw(nearest, 2 + int(np.log(k)), rng)
        distances = np.minimum(nearest[:, None], _squared(points, norms, points[candidates]))
        best = int(distances.sum(axis=0).argmin())
        centres[found], nearest = points[candidates[best]], distances[:, best]
    return centres


def _draw(weights: NDArray[np.float64], count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Rows with replacement, each as likely as its weight; any row where all weights are zero."""
    cumulative = np.cumsum(weights)
    places = rng.random(count) * cumulative[-1]
    rows = np.searchsorted(cumulative, places, side="right")
    drawn: NDArray[np.int64] = np.minimum(rows, len(weights) - 1).astype(np.int64)
    return drawn


def iterate(
    points: Points, centres: NDArray[np.float32], *, max_iter: int, unit: bool = False
) -> Partition:
    """Move the centres to the means of their points until they rest, or for `max_iter` rounds.

    `points`: float32 (n, dim), best with a mean of zero; `centres`: float32 (k, dim). They rest when moving
    them lowers the inertia by less than 0.003 %. `unit`: the centres are kept at unit length (spherical
    k-means). A centre without points moves to the point farthest from its own.
    """
    with _blockwise(points) as each:
        lloyd = _Lloyd(points, centres, each, unit=unit)
        iterations = 1
        while lloyd.step() and iterations < max_iter:
            iterations += 1
        return Partition(lloyd.nearest(), lloyd.centres, iterations)


class _Lloyd:
    """Labels with bounds: `upper` on the distance to the own centre, `lower` to each group of others."""

    def __init__(
        self,
        points: Points,
        centres: NDArray[np.float32],
        each: Callable[..., Iterator[Any]],
        *,
        unit: bool,
    ) -> None:
        self.points, self.centres, self._unit = points, centres, unit
        self._each = each
        self._norms = squared_norms(points)
        self._rounding = _ROUNDING * max(float(self._norms.max()), 1e-30)
        self._groups = np.unique(
            np.linspace(0, len(centres), min(_GROUPS, len(centres)), False).astype(int)
        )
        self._labels = np.zeros(len(points), dtype=np.int64)
        self._upper = np.zeros(len(points), dtype=np.float32)
        self._lower = np.zeros((len(self._groups), len(points)), dtype=np.float32)
        self._sums = np.zeros(centres.shape)
        self._counts = np.zeros(len(centres), dtype=np.int64)
        self._update(np.arange(len(points)), first=True)

    def nearest(self) -> NDArray[np.int64]:
        """Every point's nearest centre, without trust in the bounds."""
        self._update(np.arange(len(self.points)))
        return self._labels

    def step(self) -> bool:
        """Move the centres to the means and label the points anew; whether it was worth while."""
        sizes = self._counts
        means = self._means()
        moves = np.linalg.norm(means - self.centres, axis=1)
        gain = float((sizes * moves**2).sum())  # what the move alone takes off the inertia
        inertia = float((self._upper.astype(np.float64) ** 2).sum())
        empty = bool((sizes == 0).any()) and bool(moves[sizes == 0].any())
        self.centres = means.astype(np.float32)
        self._relabel(moves)
        return empty or gain > _WORTH_WHILE * inertia

    def _means(self) -> NDArray[np.float64]:
        full = self._counts > 0
        means = self.centres.astype(np.float64)
        means[full] = self._sums[full] / self._counts[full, None]
        if self._unit:
            means[full] /= np.maximum(np.linalg.norm(means[full], axis=1, keepdims=True), 1e-12)
        self._fill(means, np.flatnonzero(~full))
        return means

    def _fill(self, means: NDArray[np.float64], empty: NDArray[np.int64]) -> None:
        if len(empty) == 0:
            return
        farthest = np.argsort(self._upper)[::-1][: len(empty)]
        # Points nearer than rounding tells are at their centres: nothing is gained by moving there.
        far = self._upper[farthest] > 2 * np.sqrt(self._rounding)
        means[empty[far]] = self.points[farthest[far]]

    def _relabel(self, moves: NDArray[np.float64]) -> None:
        """Label the points anew that may have another nearest centre after these moves."""
        self._upper += moves[self._labels].astype(np.float32)
        self._lower -= np.maximum.reduceat(moves, self._groups).astype(np.float32)[:, None]
        slack = np.float32(np.sqrt(self._rounding) * 1e-2)
        doubtful = np.flatnonzero(self._lower.min(axis=0) < self._upper + slack)
        if len(doubtful) > _ALL_ROWS * len(self.points):
            doubtful = np.arange(len(self.points))
        self._update(doubtful)

    def _update(self, rows: NDArray[np.int64], *, first: bool = False) -> None:
        """Find these rows' nearest centres: a block in each thread, summed up in the order of the blocks."""
        parts = _parts(rows, len(self.points))
        for moves in self._each(partial(self._update_block, first=first), parts):
            for counts, sums in moves:
                self._counts += counts
                self._sums += sums

    def _update_block(self, part: _Part, *, first: bool) -> list[_Sum]:
        """What the centres' points gain and lose by it."""
        block = self.points[part]
        distances = _squared(block, self._norms[part], self.centres)
        labels = distances.argmin(axis=1)
        own = np.arange(len(labels)), labels
        self._upper[part] = np.sqrt(np.maximum(distances[own], self._rounding))
        distances[own] = np.inf
        self._lower[:, part] = np.sqrt(np.minimum.reduceat(distances, self._groups, axis=1)).T
        former = self._labels[part].copy()
        self._labels[part] = labels
        if first:
            return [self._sum(block, labels, 1)]
        changed = np.flatnonzero(labels != former)
        if len(changed) == 0:
            return []
        moved = block[changed]
        return [self._sum(moved, labels[changed], 1), self._sum(moved, former[changed], -1)]

    def _sum(self, block: Points, labels: NDArray[np.int64], sign: int) -> _Sum:
        shape = len(labels), len(self.centres)
        signs = np.full(len(labels), sign, dtype=np.float32)
        member = csr_array((signs, labels, np.arange(len(labels) + 1)), shape=shape)
        return sign * np.bincount(labels, minlength=shape[1]), member.T @ block


@contextmanager
def _blockwise(points: Points) -> Iterator[Callable[..., Iterator[Any]]]:
    """A `map` over blocks in threads of our own: those of BLAS wait for each other at every block."""
    if len(points) <= _ROWS_AT_ONCE:
        yield map
        return
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads()) as pool:
        yield pool.map


def _parts(rows: NDArray[np.int64], total: int) -> Iterator[_Part]:
    """The rows in blocks; as slices, which copy nothing, where they are all."""
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        part = slice(start, min(start + _ROWS_AT_ONCE, len(rows)))
        yield part if len(rows) == total else rows[part]


def squared_norms(points: Points) -> NDArray[np.float32]:
    """Squared lengths, float32 (n,)."""
    norms: NDArray[np.float32] = np.einsum("nd,nd->n", points, points)
    return norms


def _squared(
    points: Points, norms: NDArray[np.float32], centres: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Squared distances, float32 (n, k), never negative."""
    k, dim = centres.shape
    # OpenBLAS is a third faster with as many columns as its kernels take at once.
    padded = np.zeros((-(-k // _COLUMNS) * _COLUMNS, dim), dtype=np.float32)
    padded[:k] = -2 * centres
    distances = (points @ padded.T)[:, :k]
    distances += norms[:, None]
    distances += squared_norms(centres)
    np.maximum(distances, 0, out=distances)
    return np.asarray(distances, dtype=np.float32)


def inertia(points: Points, labels: NDArray[np.int64], centres: NDArray[np.float32]) -> float:
    """The sum of squared distances to the own centre."""

    def of_block(part: _Part) -> float:
        offsets = points[part] - centres[labels[part]]
        return float(squared_norms(offsets).sum(dtype=np.float64))

    with _blockwise(points) as each:
        return float(sum(each(of_block, _parts(np.arange(len(points)), len(points)))))


def centred(points: Points) -> tuple[Points, NDArray[np.float32]]:
    """The points around their mean, and the mean, float32 (dim,)."""
    out = np.empty(points.shape, dtype=np.float32)
    with _blockwise(points) as each:
        parts = list(_parts(np.arange(len(points)), len(points)))
        sums = each(lambda part: points[part].sum(axis=0, dtype=np.float64), parts)
        mean = (sum(sums) / len(points)).astype(np.float32)
        list(each(lambda part: np.subtract(points[part], mean, out=out[part]), parts))
    return out, mean


def best_partition(
    points: Points, k: int, *, starts: int, max_iter: int, seed: int, unit: bool = False
) -> Partition:
    """The best of several starts from k-means++ seeds.

    `points`: float32 (n, dim). Of more than twice as many as `max(10,000, 100 k)`, so many are drawn at
    random; the starts are run on these, and the best is carried on with all points.
    """
    rng = np.random.default_rng(seed)
    few = max(_SAMPLE, _SAMPLE_PER_CENTRE * k)
    sample = points
    if len(points) > 2 * few:
        sample = points[np.sort(rng.choice(len(points), few, replace=False))]
    found = [
        iterate(sample, seed_centres(sample, k, rng), max_iter=max_iter, unit=unit)
        for _ in range(starts)
    ]
    best = min(found, key=lambda one: inertia(sample, one.labels, one.centres))
    if sample is points:
        return best
    return iterate(points, best.centres, max_iter=max_iter, unit=unit)
