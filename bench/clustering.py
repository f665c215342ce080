"""k-means and HDBSCAN against scikit-learn's, a sweep over k, and a whole clustering as a job."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sklearn.cluster import HDBSCAN, KMeans
from sklearn.metrics import adjusted_rand_score

from bench import clustering_job
from bench.vectors import clustered
from lookalike_service.analysis.clustering.algorithms import cluster
from lookalike_service.analysis.clustering.sweep import sweep
from lookalike_service.analysis.progress import silent

POINTS, DIM, K = 80_000, 512, 30
SWEPT = range(2, 21)
FEW, NARROW = 20_000, 50


def run() -> dict[str, float]:
    return {**_kmeans(1), **_kmeans(3), **_sweep(), **_hdbscan(), **clustering_job.run()}


def _timed(task: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    return task(), time.perf_counter() - start


def _kmeans(starts: int) -> dict[str, float]:
    points = clustered(POINTS, DIM)
    cluster(points[:2000], "kmeans", {"k": 2, "n_init": 1})
    ours, seconds = _timed(lambda: cluster(points, "kmeans", {"k": K, "n_init": starts}))
    theirs, their_seconds = _timed(lambda: KMeans(K, n_init=starts, random_state=0).fit(points))
    return {
        f"kmeans_{starts}_starts_s": seconds,
        f"kmeans_{starts}_starts_sklearn_s": their_seconds,
        f"kmeans_{starts}_starts_ratio": their_seconds / seconds,
        f"kmeans_{starts}_starts_inertia_ratio": ours.figures["inertia"] / theirs.inertia_,
    }


def _sweep() -> dict[str, float]:
    points = clustered(POINTS, DIM)
    found, seconds = _timed(lambda: sweep(points, "kmeans", {}, SWEPT, seed=0, progress=silent))
    return {"sweep_s": seconds, "sweep_points": found.points}


def _hdbscan() -> dict[str, float]:
    """Of 80,000 points ours alone: scikit-learn's time grows with the square."""
    cluster(clustered(500, NARROW), "hdbscan", {})  # so that what is compiled is there
    many, few = clustered(POINTS, NARROW), clustered(FEW, NARROW)
    _, many_seconds = _timed(lambda: cluster(many, "hdbscan", {}))
    ours, seconds = _timed(lambda: cluster(few, "hdbscan", {}))
    theirs, their_seconds = _timed(lambda: HDBSCAN(copy=True).fit(few))
    return {
        "hdbscan_s": many_seconds,
        "hdbscan_few_s": seconds,
        "hdbscan_few_sklearn_s": their_seconds,
        "hdbscan_few_ratio": their_seconds / seconds,
        "hdbscan_few_rand": adjusted_rand_score(theirs.labels_, ours.labels),
    }
