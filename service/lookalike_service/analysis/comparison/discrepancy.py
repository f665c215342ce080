"""Maximum mean discrepancy of two sets of points, and the kernel inception distance.

Gretton et al. 2012, "A kernel two-sample test", JMLR 13; Bińkowski et al. 2018, arXiv:1801.01401. Both are
the unbiased estimate, which is around zero, and may be below, where there is no difference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.comparison.bootstrap import Estimate, draw_counts, interval
from lookalike_service.analysis.points import Points

PERMUTATIONS = 1_000
_AT_ONCE = 250
Kernel = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """`mmd`: squared, of a Gaussian kernel of `bandwidth`; `p`: by permutation; `kid`: by its own kernel."""

    mmd: Estimate
    p: float
    bandwidth: float
    kid: Estimate


def measure_discrepancy(first: Points, second: Points, rng: np.random.Generator) -> Discrepancy:
    """Both figures of two sets of unit vectors, float32 (n, dim) and (m, dim), n and m at least 2.

    The bandwidth is the median distance of all pairs. KID's kernel is (x·y / dim + 1)³ of features whose
    numbers are around one in size; a unit vector times √dim is such, so here it is (cosine + 1)³.
    """
    points = np.concatenate([first, second])
    cosines = np.clip(points @ points.T, -1, 1)
    n = len(first)
    squared = 2 - 2 * cosines
    bandwidth = float(np.sqrt(np.median(squared[np.triu_indices(len(points), 1)])))
    counts = draw_counts(n, rng), draw_counts(len(second), rng)
    kid = _estimate((cosines + 1) ** 3, n, counts)
    gaussian = np.exp(-squared / max(2 * bandwidth**2, 1e-12))
    p = _permuted(gaussian, n, rng)
    return Discrepancy(_estimate(gaussian, n, counts), p, bandwidth, kid)


def _estimate(kernel: Kernel, n: int, counts: tuple[Kernel, Kernel]) -> Estimate:
    """The unbiased estimate with its interval; a pair of a point and itself never counts."""
    np.fill_diagonal(kernel, 0)
    ones = np.ones((1, n), np.float32), np.ones((1, len(kernel) - n), np.float32)
    value = _discrepancies(kernel, *ones)[0]
    return interval(float(value), _discrepancies(kernel, *counts))


def _discrepancies(kernel: Kernel, one: Kernel, two: Kernel) -> NDArray[np.float64]:
    """The estimate for each row of weights, (b, n) and (b, m), of a kernel with a diagonal of zeros."""
    n = one.shape[1]
    across = _product(one @ kernel[:n, n:], two) / (_total(one) * _total(two))
    return _within(kernel[:n, :n], one) + _within(kernel[n:, n:], two) - 2 * across


def _within(kernel: Kernel, weights: Kernel) -> NDArray[np.float64]:
    pairs = _total(weights) ** 2 - _product(weights, weights)
    return _product(weights @ kernel, weights) / pairs


def _product(left: Kernel, right: Kernel) -> NDArray[np.float64]:
    return np.asarray(np.einsum("bi,bi->b", left, right, dtype=np.float64))


def _total(weights: Kernel) -> NDArray[np.float64]:
    return np.asarray(weights.sum(axis=1, dtype=np.float64))


def _permuted(kernel: Kernel, n: int, rng: np.random.Generator) -> float:
    """How often points dealt out at random differ as much: 1 / 1,001 at least."""
    np.fill_diagonal(kernel, 0)
    total, m = len(kernel), len(kernel) - n
    found = []
    actual = np.zeros((1, total), np.float32)
    actual[0, :n] = 1
    for start in range(0, PERMUTATIONS, _AT_ONCE):
        order = rng.permuted(np.tile(actual, (min(_AT_ONCE, PERMUTATIONS - start), 1)), axis=1)
        found.append(_dealt(kernel, order, n, m))
    reached = (np.concatenate(found) >= _dealt(kernel, actual, n, m)[0] - 1e-12).sum()
    return float((reached + 1) / (PERMUTATIONS + 1))


def _dealt(kernel: Kernel, mine: Kernel, n: int, m: int) -> NDArray[np.float64]:
    """The estimate for each row of `mine`, (b, n + m) with n ones: which points are in the first set."""
    sums = kernel.sum(axis=1, dtype=np.float64)
    first = _product(mine @ kernel, mine)
    of_first = mine @ sums  # all pairs with one in the first set, those within it twice
    across = of_first - first
    second = sums.sum() - of_first - across
    return np.asarray(first / (n * (n - 1)) + second / (m * (m - 1)) - 2 * across / (n * m))
