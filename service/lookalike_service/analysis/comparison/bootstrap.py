"""Confidence intervals by the bootstrap (Efron 1979, doi:10.1214/aos/1176344552)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

REPLICATES = 1_000
_CONFIDENCE = 0.95
_DRAWN_AT_ONCE = 10_000_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure, and the bounds that hold it with 95 % confidence."""

    value: float
    low: float
    high: float


def interval(value: float, replicates: NDArray[np.float64]) -> Estimate:
    """The figure with the percentiles of its bootstrap replicates, (replicates,)."""
    tail = 100 * (1 - _CONFIDENCE) / 2
    low, high = np.percentile(replicates, [tail, 100 - tail])
    return Estimate(float(value), float(low), float(high))


def draw_counts(n: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """How often each of n points is in each bootstrap sample of n: float32 (REPLICATES, n)."""
    drawn = rng.integers(n, size=(REPLICATES, n))
    rows = np.repeat(np.arange(REPLICATES), n) * n
    counts = np.bincount(rows + drawn.ravel(), minlength=REPLICATES * n)
    return counts.reshape(REPLICATES, n).astype(np.float32)


def resampled_means(values: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """The mean of each bootstrap sample of values (n,): float64 (REPLICATES,)."""
    at_once = max(1, _DRAWN_AT_ONCE // len(values))
    parts = []
    for start in range(0, REPLICATES, at_once):
        size = min(at_once, REPLICATES - start), len(values)
        parts.append(values[rng.integers(len(values), size=size)].mean(axis=1))
    return np.concatenate(parts)


def estimate_mean(values: NDArray[np.float64], rng: np.random.Generator) -> Estimate:
    """The mean of values (n,) with its interval."""
    return interval(float(values.mean()), resampled_means(values, rng))
