"""What a clustering is judged by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import calinski_harabasz_score, davies_bouldin_score, silhouette_score

from lookalike_service.analysis.points import Points

_NO_DIRECTION = 1e-9
SILHOUETTE_POINTS = 10_000
"""Up to so many clustered points the silhouette is exact; beyond, it is of so many drawn at random."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster.

    `medoid`: the row of the member nearest to the centre by cosine. `spread`: the members' mean
    cosine distance to the centre, 0 to 2.
    """

    label: int
    size: int
    medoid: int
    spread: float


def describe_clusters(points: Points, labels: NDArray[np.int64]) -> Iterator[Cluster]:
    """The clusters by label, noise left out.

    `points`: float32 (n, dim), unit L2 norm; `labels`: int64 (n,). The centre is the members' mean.
    """
    for label in range(int(labels.max(initial=-1)) + 1):
        rows = np.flatnonzero(labels == label)
        distances = _distances_to_centre(points[rows])
        medoid = int(rows[np.argmin(distances)])
        yield Cluster(label, len(rows), medoid, float(distances.mean()))


def centroids(points: Points, labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """The direction of each cluster's centre: float32 (clusters, dim), unit L2 norm, row i for label i.

    `points`: float32 (n, dim); `labels`: int64 (n,). Zeros for members that cancel out.
    """
    rows = np.zeros((int(labels.max(initial=-1)) + 1, points.shape[1]), dtype=np.float32)
    for label in range(len(rows)):
        centre = points[labels == label].mean(axis=0, dtype=np.float64)
        norm = np.linalg.norm(centre)
        if norm >= _NO_DIRECTION:
            rows[label] = centre / norm
    return rows


def _distances_to_centre(members: Points) -> NDArray[np.float64]:
    centre = members.mean(axis=0, dtype=np.float64)
    norm = np.linalg.norm(centre)
    if norm < _NO_DIRECTION:  # all are orthogonal to what members that cancel out have in common
        return np.ones(len(members))
    distances: NDArray[np.float64] = np.clip(1 - members @ (centre / norm), 0, 2)
    return distances


def measure_clustering(
    points: Points, labels: NDArray[np.int64], *, seed: int = 0
) -> dict[str, float | None]:
    """Figures of merit over the points that are in a cluster, noise left out, by scikit-learn.

    - `silhouette`, -1 to 1, higher is better (Rousseeuw 1987, doi:10.1016/0377-0427(87)90125-7),
      Euclidean, over `silhouette_points` points: all, or `SILHOUETTE_POINTS` drawn by `seed`;
    - `calinski_harabasz`, higher is better (1974, doi:10.1080/03610927408827101);
    - `davies_bouldin`, lower is better (1979, doi:10.1109/TPAMI.1979.4766909).

    None where undefined: fewer than two clusters, or no cluster of more than one point.
    """
    rows = np.flatnonzero(labels >= 0)
    figures: dict[str, float | None] = {"calinski_harabasz": None, "davies_bouldin": None}
    if _comparable(labels[rows]):
        clustered = points[rows]
        figures["calinski_harabasz"] = float(calinski_harabasz_score(clustered, labels[rows]))
        figures["davies_bouldin"] = float(davies_bouldin_score(clustered, labels[rows]))
    if len(rows) > SILHOUETTE_POINTS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, SILHOUETTE_POINTS, replace=False))
    measurable = _comparable(labels[rows])
    silhouette = float(silhouette_score(points[rows], labels[rows])) if measurable else None
    return {
        "silhouette": silhouette,
        "silhouette_points": float(len(rows)) if measurable else None,
        **figures,
    }


def _comparable(labels: NDArray[np.int64]) -> bool:
    return 2 <= len(np.unique(labels)) < len(labels)
