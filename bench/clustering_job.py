"""A whole clustering as a job, from the request to the labels in the embedded store: time and memory."""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from bench.vectors import clustered
from lookalike_service.jobs.runner import JobRunner
from lookalike_service.schemas.clusterings import ClusteringRequest
from lookalike_service.settings import Settings
from lookalike_service.spaces import Space
from lookalike_service.store.embedded import EmbeddedStore
from lookalike_service.store.protocol import Collection, Point, point_id
from lookalike_service.workflows import clustering
from lookalike_service.workflows.kinds import JOB_KINDS

POINTS, DIM, K = 84_495, 1280, 30
_BATCH = 1000
_GIB = 2**30


def run() -> dict[str, float]:
    """Cluster 84,495 vectors of 1,280 dimensions with k-means."""
    with tempfile.TemporaryDirectory() as folder:
        store = EmbeddedStore(Path(folder), settle=1e9)
        store.create_collection(Collection("c", Space("m", "w", "p", "p", DIM), "now"))
        _fill(store, clustered(POINTS, DIM))
        runner = JobRunner(store, JOB_KINDS, Settings())
        runner.start()
        try:
            return _job(store, runner)
        finally:
            runner.stop()
            store.close()


def _fill(store: EmbeddedStore, rows: NDArray[np.float32]) -> None:
    for at in range(0, len(rows), _BATCH):
        points = [
            Point(point_id(str(i)), rows[i], {"key": str(i), "metadata": {}})
            for i in range(at, min(at + _BATCH, len(rows)))
        ]
        store.upsert("c", points)


def _job(store: EmbeddedStore, runner: JobRunner) -> dict[str, float]:
    base = _resident()
    queries = np.random.default_rng(1).standard_normal((100, DIM)).astype(np.float32)
    before = [_search(store, query) for query in queries[:30]]
    during: list[float] = []
    start = time.perf_counter()
    body = ClusteringRequest(parameters={"k": K})
    parameters = clustering.validate(store, "c", body)
    with _largest() as largest:
        job = runner.submit("clustering", "c", parameters)
        stages: dict[str, float] = {}
        while (now := runner.get(job.id)).state in {"queued", "running"}:
            stages.setdefault(now.progress.stage, time.perf_counter() - start)
            during.append(_search(store, queries[len(during) % len(queries)]))
    seconds = time.perf_counter() - start
    assert now.state == "succeeded", now.error
    assert sum(count for _, count in store.facets("c", "clusters.kmeans")) == POINTS
    begun = {f"job_{stage.replace(' ', '_')}_from_s": at for stage, at in stages.items()}
    return {
        "job_s (target < 180)": seconds,
        "job_GiB_beyond_base (target < 2)": (largest[0] - base) / _GIB,
        "job_search_during_by_before_p50 (target <= 1.5)": statistics.median(during)
        / statistics.median(before),
        "job_search_during_by_before_p95": float(np.quantile(during, 0.95))
        / statistics.median(before),
        **begun,
    }


def _search(store: EmbeddedStore, query: NDArray[np.float32]) -> float:
    """Seconds of one search, exact as there is no graph, after a rest."""
    time.sleep(0.05)
    start = time.perf_counter()
    store.query("c", query)
    return time.perf_counter() - start


@contextmanager
def _largest() -> Iterator[list[int]]:
    """The largest memory of this process and its children while inside."""
    largest, done = [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.05):
            largest[0] = max(largest[0], _resident())

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield largest
    finally:
        done.set()
        thread.join()


def _resident() -> int:
    """Of this process, the store's and the computing one, shared pages counted in each."""
    total = 0
    process = psutil.Process()
    for member in (process, *process.children(recursive=True)):
        try:
            total += member.memory_info().rss
        except psutil.NoSuchProcess:
            continue
    return total
