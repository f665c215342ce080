"""Whether points cluster at all: the Hopkins statistic."""

from __future__ import annotations

import numpy as np
from sklearn.neighbors import NearestNeighbors

from lookalike_service.analysis.points import Points, all_equal

_MOST_POINTS, _MOST_PROBES = 10_000, 500


def hopkins(points: Points, *, seed: int = 0) -> float | None:
    """0.5 for points spread evenly, towards 1 for clusters; None where undefined (two points, all equal).

    Sum u / (sum u + sum w): u are the distances of probes, uniform in the points' bounding box, to the
    nearest point, w those of as many points to the nearest other (Hopkins and Skellam 1954; with plain
    sums as in Lawson and Jurs 1990, doi:10.1021/ci00065a010). Of more than 10,000 points so many are
    drawn. In many dimensions no data fills its box, so that values near 1 say little there: reduce
    first.
    """
    rng = np.random.default_rng(seed)
    if len(points) > _MOST_POINTS:
        points = points[np.sort(rng.choice(len(points), _MOST_POINTS, replace=False))]
    if len(points) < 3 or all_equal(points):
        return None
    count = min(max(len(points) // 10, 1), _MOST_PROBES)
    probes = rng.uniform(points.min(axis=0), points.max(axis=0), (count, points.shape[1]))
    search = NearestNeighbors(n_neighbors=2, algorithm="brute").fit(points)
    away = search.kneighbors(probes.astype(np.float32), 1)[0].sum()
    drawn = points[rng.choice(len(points), count, replace=False)]
    apart = search.kneighbors(drawn)[0][:, 1].sum()
    return float(away / (away + apart)) if away + apart > 0 else None
