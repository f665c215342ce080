"""Whether a clustering would come out alike had other points been drawn."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from lookalike_service.analysis.clustering.algorithms import cluster
from lookalike_service.analysis.points import Points
from lookalike_service.analysis.progress import Progress
from lookalike_service.errors import InvalidParameters

_MOST_POINTS = 5_000


def measure_stability(
    points: Points,
    labels: NDArray[np.int64],
    algorithm: str,
    parameters: Mapping[str, object],
    *,
    resamples: int,
    seed: int,
    progress: Progress,
) -> tuple[float, NDArray[np.float64]]:
    """Mean adjusted Rand index with clusterings of bootstrap samples; each cluster's mean Jaccard index.

    The latter float64 (clusters,), NaN for a cluster never drawn. Hennig 2007,
    doi:10.1016/j.csda.2006.11.025: a cluster below 0.6 is not to be trusted, one above 0.85 is very
    stable. Each sample is of as many points, drawn with replacement (at most 5,000); points drawn again
    count once. Compared are the labels of the points drawn. Raises InvalidParameters if too few points
    differ.
    """
    rng = np.random.default_rng(seed)
    count = min(len(points), _MOST_POINTS)
    clusters = int(labels.max(initial=-1)) + 1
    agreements, overlaps = [], []
    for done in range(resamples):
        progress("measuring stability", done, resamples)
        rows = np.unique(rng.choice(len(points), count))
        try:
            found = cluster(
                np.ascontiguousarray(points[rows]), algorithm, parameters, seed=seed
            ).labels
        except InvalidParameters as error:
            raise InvalidParameters(
                f"stability: a resample of {len(rows)} of the {len(points)} points cannot be clustered so. "
                f"{error.detail}"
            ) from error
        agreements.append(adjusted_rand_score(labels[rows], found))
        overlaps.append(_jaccard(labels[rows], found, clusters))
    drawn = ~np.isnan(overlaps)
    sums, times = np.where(drawn, overlaps, 0).sum(axis=0), drawn.sum(axis=0)
    mean = np.divide(sums, times, out=np.full(clusters, np.nan), where=times > 0)
    return float(np.mean(agreements)), mean


def _jaccard(
    labels: NDArray[np.int64], found: NDArray[np.int64], clusters: int
) -> NDArray[np.float64]:
    """Each cluster's largest Jaccard index with a found one; NaN where none of its points were drawn."""
    result = np.full(clusters, np.nan)
    sizes = np.bincount(found[found >= 0], minlength=1)
    for label in range(clusters):
        members = labels == label
        if members.any():
            inside = found[members]
            shared = np.bincount(inside[inside >= 0], minlength=len(sizes))
            result[label] = (shared / np.maximum(members.sum() + sizes - shared, 1)).max()
    return result
