"""How far each of two sets of points covers the other.

Precision and recall of Kynkäänniemi et al. 2019, arXiv:1904.06991, density and coverage of Naeem et al.
2020, arXiv:2002.09797: a set's region is the union of balls around its points, each up to the point's k-th
nearest other. The first set is the reference (the real images), the second is measured against it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.comparison.bootstrap import Estimate, estimate_mean
from lookalike_service.analysis.points import Points

NEIGHBOURS = 5
_BLOCK = 1024


@dataclass(frozen=True, slots=True)
class Coverage:
    """`precision`: share of the second set in the region of the first; `recall`: the other way round.

    `density`: how many balls of the first a point of the second is in, over k; may exceed 1. `coverage`:
    share of the first set whose ball holds a point of the second; the one least moved by outliers.
    """

    precision: Estimate
    recall: Estimate
    density: Estimate
    coverage: Estimate


def measure_coverage(first: Points, second: Points, rng: np.random.Generator) -> Coverage:
    """The four figures of unit vectors, float32 (n, dim) and (m, dim), of more than five points each.

    Intervals resample the points that are counted, and leave the regions as they are: a sample drawn with
    replacement has copies, whose balls are of no size.
    """
    radii_first, radii_second = _radii(first), _radii(second)
    balls = np.zeros(len(second))
    recalled, covered = np.zeros(len(first)), np.zeros(len(first))
    for start in range(0, len(first), _BLOCK):
        rows = slice(start, start + _BLOCK)
        squared = _squared(first[rows], second)
        inside = squared < radii_first[rows, None]
        balls += inside.sum(axis=0)
        covered[rows] = inside.any(axis=1)
        recalled[rows] = (squared < radii_second[None]).any(axis=1)
    return Coverage(
        precision=estimate_mean((balls > 0).astype(np.float64), rng),
        recall=estimate_mean(recalled, rng),
        density=estimate_mean(balls / NEIGHBOURS, rng),
        coverage=estimate_mean(covered, rng),
    )


def _radii(points: Points) -> NDArray[np.float32]:
    """Each point's squared distance to its k-th nearest other, (n,)."""
    radii = np.empty(len(points), np.float32)
    for start in range(0, len(points), _BLOCK):
        rows = slice(start, start + _BLOCK)
        squared = _squared(points[rows], points)
        squared[np.arange(len(squared)), np.arange(len(squared)) + start] = -1  # itself comes first
        radii[rows] = np.partition(squared, NEIGHBOURS, axis=1)[:, NEIGHBOURS]
    return radii


def _squared(one: Points, other: Points) -> NDArray[np.float32]:
    return np.asarray(2 - 2 * np.clip(one @ other.T, -1, 1), np.float32)
