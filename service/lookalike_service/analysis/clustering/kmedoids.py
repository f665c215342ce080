"""k-medoids by FasterPAM: k of the points as centres, of the least sum of distances to them.

Schubert and Rousseeuw 2021, doi:10.1016/j.is.2021.101804. Written here because the well-kept package of it
is under the GPL, which would bind this project too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import pairwise_distances

from lookalike_service.analysis.clustering.assign import NearestCentre
from lookalike_service.analysis.clustering.fit import Fit, number_by_size
from lookalike_service.analysis.clustering.lloyd import seed_centres
from lookalike_service.analysis.points import Points


def fit(points: Points, parameters: Mapping[str, Any], seed: int) -> Fit:
    """Cluster; `deviation` is the sum of Euclidean distances to the medoids."""
    distances = np.asarray(pairwise_distances(points), dtype=np.float32)
    rng = np.random.default_rng(seed)
    found = [
        _descend(distances, _start(points, parameters["k"], rng), parameters["max_iter"])
        for _ in range(parameters["n_init"])
    ]
    deviation, medoids = min(found, key=lambda one: one[0])
    labels, order = number_by_size(distances[:, medoids].argmin(axis=1))
    return Fit(labels, NearestCentre(points[medoids[order]]), {"deviation": deviation})


def _start(points: Points, k: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Rows of k-means++ seeds; all different, as fewer than k different points never come here."""
    seeds = seed_centres(points, k, rng)
    rows = dict.fromkeys(int(np.argmax((points == seed).all(axis=1))) for seed in seeds)
    spare = (row for row in rng.permutation(len(points)).tolist() if row not in rows)
    return np.array([*rows, *(next(spare) for _ in range(k - len(rows)))], dtype=np.int64)


def _descend(
    distances: NDArray[np.float32], medoids: NDArray[np.int64], max_iter: int
) -> tuple[float, NDArray[np.int64]]:
    """Swap a medoid for another point wherever that helps, until no swap does for a whole round."""
    n, medoids = len(distances), medoids.copy()
    nearest, first, second = _two_nearest(distances, medoids)
    unswapped = 0
    for _ in range(max_iter):
        for candidate in range(n):
            change, out = _best_swap(distances[candidate], nearest, first, second, len(medoids))
            if change < -1e-6 * max(float(first.sum()), 1e-12) and candidate not in medoids:
                medoids[out] = candidate
                nearest, first, second = _two_nearest(distances, medoids)
                unswapped = 0
                continue
            unswapped += 1
            if unswapped >= n:
                return float(first.sum(dtype=np.float64)), medoids
    return float(first.sum(dtype=np.float64)), medoids


def _best_swap(
    away: NDArray[np.float32],
    nearest: NDArray[np.int64],
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    k: int,
) -> tuple[float, int]:
    """What the sum of distances changes by if this point replaces the medoid best left out, and which."""
    joins = away < first
    gain = float((away - first)[joins].sum())
    # Who stays with the newcomer either way owes the leaving medoid nothing; the others go to their second.
    loss = np.where(joins, first, np.minimum(away, second)) - first
    changes = np.bincount(nearest, weights=loss, minlength=k)
    out = int(changes.argmin())
    return gain + float(changes[out]), out


def _two_nearest(
    distances: NDArray[np.float32], medoids: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]:
    """Each point's nearest medoid (n,), and the distances to it and to the next one."""
    to_medoids = distances[:, medoids]
    rows = np.arange(len(distances))
    nearest = to_medoids.argmin(axis=1).astype(np.int64)
    first = to_medoids[rows, nearest]
    to_medoids[rows, nearest] = np.inf
    if len(medoids) > 1:
        return nearest, first, to_medoids.min(axis=1)
    return nearest, first, np.full(len(distances), np.float32(distances.max() * 2 + 1))
