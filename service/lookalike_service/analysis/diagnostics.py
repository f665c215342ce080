"""What a clustering is judged by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from sklearn.metrics import silhouette_samples

from lookalike_service.analysis.dispersion import measure_dispersion
from lookalike_service.analysis.points import Points
from lookalike_service.analysis.silhouette import summarise

_NO_DIRECTION = 1e-9
_ROWS_AT_ONCE = 4096
SILHOUETTE_POINTS = 10_000
"""Up to so many clustered points the silhouette is exact; beyond, it is of so many drawn at random."""
_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster.

    `medoid`: the row of the member nearest to the centre by cosine; `exemplars`: those of the six
    nearest, from the nearest on; `outliers`: those of the six farthest, from the farthest on, none of
    them an exemplar. `spread`: the members' mean cosine distance to the centre, 0 to 2. `separation`:
    the cosine distance of the centre to the nearest other one, None where there is none.
    """

    label: int
    size: int
    medoid: int
    spread: float
    exemplars: list[int]
    outliers: list[int]
    separation: float | None


def describe_clusters(points: Points, labels: NDArray[np.int64]) -> Iterator[Cluster]:
    """The clusters by label, noise left out.

    `points`: float32 (n, dim), unit L2 norm, read a block at a time; `labels`: int64 (n,). The centre is the
    members' mean.
    """
    centres = centroids(points, labels)
    distances = _distances_to_centres(points, labels, centres)
    for label, separation in enumerate(_separations(centres)):
        rows = np.flatnonzero(labels == label)
        order = rows[np.argsort(distances[rows], kind="stable")]
        yield Cluster(
            label,
            len(rows),
            int(order[0]),
            float(distances[rows].mean()),
            order[:_SHOWN].tolist(),
            order[_SHOWN:][::-1][:_SHOWN].tolist(),
            separation,
        )


def _separations(centres: NDArray[np.float32]) -> list[float | None]:
    if len(centres) < 2:
        return [None] * len(centres)
    nearest = []
    for row, centre in enumerate(centres):
        cosines = centres @ centre
        cosines[row] = -np.inf
        nearest.append(float(np.clip(1 - cosines.max(), 0, 2)))
    return [*nearest]


def centroids(points: Points, labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """The direction of each cluster's centre: float32 (clusters, dim), unit L2 norm, row i for label i.

    `points`: float32 (n, dim), read a block at a time; `labels`: int64 (n,). Zeros for members that cancel
    out.
    """
    clusters = int(labels.max(initial=-1)) + 1
    sums = np.zeros((clusters, points.shape[1]))
    for rows, block in _clustered(points, labels):
        shape = len(rows), clusters
        member = csr_array(
            (np.ones(len(rows)), labels[rows], np.arange(len(rows) + 1)), shape=shape
        )
        sums += member.T @ block
    means = sums / np.bincount(labels[labels >= 0], minlength=clusters)[:, None]
    norms = np.linalg.norm(means, axis=1, keepdims=True)
    unit = np.divide(means, norms, out=np.zeros_like(means), where=norms >= _NO_DIRECTION)
    return np.asarray(unit, dtype=np.float32)


def _distances_to_centres(
    points: Points, labels: NDArray[np.int64], centres: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Each point's cosine distance to its cluster's centre, (n,); 1 where there is no direction, or noise."""
    distances = np.ones(len(points))
    for rows, block in _clustered(points, labels):
        cosines = np.einsum("nd,nd->n", block, centres[labels[rows]].astype(np.float64))
        distances[rows] = np.clip(1 - cosines, 0, 2)
    return distances


def _clustered(
    points: Points, labels: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """The points that are in a cluster, a block at a time: their rows, and they as float64."""
    for start in range(0, len(points), _ROWS_AT_ONCE):
        rows = start + np.flatnonzero(labels[start : start + _ROWS_AT_ONCE] >= 0)
        yield rows, points[rows].astype(np.float64)


def measure_clustering(
    points: Points, labels: NDArray[np.int64], *, seed: int = 0
) -> dict[str, float | None]:
    """Figures of merit over the points that are in a cluster, noise left out.

    - `silhouette`, -1 to 1, higher is better (Rousseeuw 1987, doi:10.1016/0377-0427(87)90125-7), by
      scikit-learn, Euclidean, over `silhouette_points` points: all, or `SILHOUETTE_POINTS` drawn by `seed`,
      when `silhouette_low` and `silhouette_high` bound it with 95 % confidence;
    - `within`, `calinski_harabasz` and `davies_bouldin`, see `Dispersion`.

    None where undefined: fewer than two clusters, or no cluster of more than one point.
    """
    rows = np.flatnonzero(labels >= 0)
    clustered = points if len(rows) == len(points) else points[rows]
    spread = measure_dispersion(clustered, labels[rows]) if len(rows) else None
    figures = {
        "within": spread.within if spread else None,
        "calinski_harabasz": spread.calinski_harabasz if spread else None,
        "davies_bouldin": spread.davies_bouldin if spread else None,
    }
    exact = len(rows) <= SILHOUETTE_POINTS
    if not exact:
        rows = np.sort(np.random.default_rng(seed).choice(rows, SILHOUETTE_POINTS, replace=False))
    measurable = _comparable(labels[rows])
    values = silhouette_samples(points[rows], labels[rows]) if measurable else None
    found = summarise(values, exact=exact)
    return {
        "silhouette": found.mean if found else None,
        "silhouette_low": found.low if found else None,
        "silhouette_high": found.high if found else None,
        "silhouette_points": float(len(rows)) if found else None,
        **figures,
    }


def _comparable(labels: NDArray[np.int64]) -> bool:
    return 2 <= len(np.unique(labels)) < len(labels)
