"""The gap statistic: how much tighter clusters are than those of points without structure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.clustering.lloyd import best_partition, inertia
from lookalike_service.analysis.points import Points

_MOST_POINTS, _REFERENCES, _ROUNDS = 1_000, 5, 20
_LEAST_SHARE = 1e-10  # of the largest variance: an axis of less is rounding


@dataclass(frozen=True, slots=True)
class Gap:
    """For one k: the gap, larger is better, and its standard error."""

    gap: float
    error: float


def measure_gaps(points: Points, ks: Sequence[int], *, seed: int) -> list[Gap | None]:
    """Gap statistics of k-means (Tibshirani, Walther and Hastie 2001, doi:10.1111/1467-9868.00293).

    Against 5 references, uniform in the box of the points' principal axes, on at most 1,000 points drawn at
    random. None where fewer than k points are left, or the clusters have no width.
    """
    rng = np.random.default_rng(seed)
    if len(points) > _MOST_POINTS:
        points = points[np.sort(rng.choice(len(points), _MOST_POINTS, replace=False))]
    references = _references(points, rng)
    return [_gap(points, references, k, seed) for k in ks]


def _references(points: Points, rng: np.random.Generator) -> list[Points]:
    centred = points.astype(np.float64) - points.mean(axis=0, dtype=np.float64)
    values, left = np.linalg.eigh(centred @ centred.T)  # small, however many dimensions there are
    real = values > _LEAST_SHARE * max(float(values.max()), 1e-30)
    turned = left[:, real] * np.sqrt(values[real])
    axes = (left[:, real] / np.sqrt(values[real])).T @ centred
    low, high = turned.min(axis=0), turned.max(axis=0)
    return [
        (rng.uniform(low, high, turned.shape) @ axes).astype(np.float32) for _ in range(_REFERENCES)
    ]


def _gap(points: Points, references: Sequence[Points], k: int, seed: int) -> Gap | None:
    if k > len(points):
        return None
    widths = [_width(cloud, k, seed) for cloud in (points, *references)]
    if min(widths) <= 0:
        return None
    logs: NDArray[np.float64] = np.log(widths)
    error = float(logs[1:].std() * np.sqrt(1 + 1 / len(references)))
    return Gap(float(logs[1:].mean() - logs[0]), error)


def _width(points: Points, k: int, seed: int) -> float:
    centred = points - points.mean(axis=0)
    found = best_partition(centred, k, starts=1, max_iter=_ROUNDS, seed=seed)
    return inertia(centred, found.labels, found.centres)
