"""Whether clusters are composed alike by a field, such as real or synthetic, or the hospital."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2_contingency

_EXPECTED = 5.0  # below it in any cell the chi-square distribution is no longer near (Cochran 1954)
_SHUFFLES = 2_000


@dataclass(frozen=True, slots=True)
class Independence:
    """A test of "the field does not depend on the cluster".

    `p`: chance of a table at least so far from independence if that were so. `test`: `chi_square`, or
    `permutation` (of which the smallest p is 1 / 2,001) where a cell expects fewer than five.
    `cramers_v`, 0 to 1: how strong the dependence is, whatever the number of points (Cramér 1946).
    """

    test: str
    statistic: float
    p: float
    cramers_v: float


def measure_independence(confusion: NDArray[np.int64], *, seed: int = 0) -> Independence | None:
    """Test a table (clusters, values) of counts, no row or column all zeros; None for one row or column."""
    if min(confusion.shape) < 2:
        return None
    found = chi2_contingency(confusion, correction=False)
    statistic, total = float(found.statistic), int(confusion.sum())
    strength = float(np.sqrt(statistic / (total * (min(confusion.shape) - 1))))
    if found.expected_freq.min() >= _EXPECTED:
        return Independence("chi_square", statistic, float(found.pvalue), strength)
    p = _permuted(confusion, found.expected_freq, statistic, seed)
    return Independence("permutation", statistic, p, strength)


def _permuted(
    confusion: NDArray[np.int64], expected: NDArray[np.float64], statistic: float, seed: int
) -> float:
    """How often shuffled values give as large a statistic: the margins stay as they are."""
    rng = np.random.default_rng(seed)
    rows = np.repeat(np.arange(confusion.shape[0]), confusion.sum(axis=1))
    columns = np.repeat(np.arange(confusion.shape[1]), confusion.sum(axis=0))
    reached = 0
    for _ in range(_SHUFFLES):
        cells = np.bincount(
            rows * confusion.shape[1] + rng.permutation(columns), minlength=confusion.size
        )
        shuffled = ((cells.reshape(confusion.shape) - expected) ** 2 / expected).sum()
        reached += bool(shuffled >= statistic * (1 - 1e-12))
    return (reached + 1) / (_SHUFFLES + 1)
