"""How tight clusters are and how far apart: what is measured against their means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from lookalike_service.analysis.points import Points

_ROWS_AT_ONCE = 4096


@dataclass(frozen=True, slots=True)
class Dispersion:
    """Figures of a clustering without noise.

    `within`: sum of squared distances to the cluster's mean, the inertia. `calinski_harabasz`: the variance
    between clusters over that within, higher is better (1974, doi:10.1080/03610927408827101).
    `davies_bouldin`: how alike each cluster is to the one most like it, lower is better (1979,
    doi:10.1109/TPAMI.1979.4766909). The last two are None for one cluster, or only clusters of one point.
    """

    within: float
    calinski_harabasz: float | None
    davies_bouldin: float | None


def measure_dispersion(points: Points, labels: NDArray[np.int64]) -> Dispersion:
    """Of points float32 (n, dim) with labels int64 (n,), none of them noise; n at least 1."""
    kinds, labels = np.unique(labels, return_inverse=True)
    sizes = np.bincount(labels)
    sums = np.zeros((len(kinds), points.shape[1]))
    for rows in _parts(len(points)):
        sums += _members(labels[rows], len(kinds)).T @ points[rows].astype(np.float64)
    centres, centre = sums / sizes[:, None], sums.sum(axis=0) / len(points)
    squared = np.concatenate([
        ((points[rows] - centres[labels[rows]]) ** 2).sum(axis=1) for rows in _parts(len(points))
    ])  # fmt: skip
    within = float(squared.sum())
    if not 2 <= len(kinds) < len(points):
        return Dispersion(within, None, None)
    between = float((sizes * ((centres - centre) ** 2).sum(axis=1)).sum())
    variances = between / (len(kinds) - 1), within / (len(points) - len(kinds))
    ratio = 1.0 if variances[1] == 0 else variances[0] / variances[1]
    widths = np.bincount(labels, weights=np.sqrt(squared)) / sizes
    return Dispersion(within, ratio, _davies_bouldin(centres, widths))


def _davies_bouldin(centres: NDArray[np.float64], widths: NDArray[np.float64]) -> float:
    worst = np.zeros(len(centres))
    for i in range(len(centres)):
        away = np.linalg.norm(centres - centres[i], axis=1)
        # As scikit-learn: of clusters with the same mean nothing is said.
        alike = np.divide(widths[i] + widths, away, out=np.zeros_like(widths), where=away > 0)
        worst[i] = np.delete(alike, i).max()
    return float(worst.mean())


def _members(labels: NDArray[np.int64], clusters: int) -> csr_array:
    """(n, clusters): 1 where a point is in a cluster."""
    shape = len(labels), clusters
    return csr_array((np.ones(len(labels)), labels, np.arange(len(labels) + 1)), shape=shape)


def _parts(total: int) -> list[slice]:
    return [slice(at, min(at + _ROWS_AT_ONCE, total)) for at in range(0, total, _ROWS_AT_ONCE)]
