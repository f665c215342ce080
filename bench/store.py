"""The embedded store against its own engine, hnswlib and qdrant-client's local mode.

Takes about half an hour; `BENCH_DIMS=512` or `BENCH_POINTS=20000` make it shorter.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from qdrant_client import QdrantClient, models

from bench import load, store_graphs, store_upserts
from bench.service import service
from bench.vectors import K, clustered, nearest, queries_near, recall
from lookalike_service.store.embedded import EmbeddedStore
from lookalike_service.store.protocol import point_id

POINTS = int(os.environ.get("BENCH_POINTS", "100000"))
DIMS = [int(dim) for dim in os.environ.get("BENCH_DIMS", "512,1280").split(",")]
QUERIES = 100
SHARES = {"0.1": 1, "1": 10, "5": 50, "10": 100, "50": 500}  # percent: of a thousand
Rows = NDArray[np.float32]


def run() -> dict[str, float]:
    figures: dict[str, float] = {}
    for dim in DIMS:
        figures |= {f"{name} ({dim})": value for name, value in _dimension(dim).items()}
    return figures


def _dimension(dim: int) -> dict[str, float]:
    rows = clustered(POINTS, dim)
    queries = queries_near(rows, QUERIES)
    wanted = nearest(rows, queries, K)
    shares = np.random.default_rng(2).integers(1000, size=POINTS)
    ids = [point_id(str(i)) for i in range(POINTS)]
    with tempfile.TemporaryDirectory() as folder:
        store = EmbeddedStore(Path(folder) / "data", settle=1e9)
        figures = store_upserts.fill(store, Path(folder) / "own", rows, shares)
        figures |= _building(store, queries)
        figures |= _searching(store, rows, queries, wanted, shares)
        figures |= _labelling(store, queries, ids)
        figures |= _reading(store)
        store.close()
        figures |= _by_http(Path(folder) / "data")
        figures |= store_graphs.compare(
            Path(folder) / "data" / "indexed" / "c@1", rows, queries, wanted
        )
    if dim == min(DIMS):
        figures |= _local_mode(rows, queries)
        local = figures["local mode: p50 ms"]
        figures["local mode / store p50 (target >= 100)"] = local / figures["store: p50 ms"]
    return figures


def _building(store: EmbeddedStore, queries: Rows) -> dict[str, float]:
    before = _search_times(store, queries, 50)
    start = time.perf_counter()
    during = _while(lambda: store.optimize("c"), lambda: _search_times(store, queries, 1), 0.1)
    seconds = time.perf_counter() - start
    return {
        "build: seconds": seconds,
        "build: search p50 ms before, exact": _ms(before),
        "build: during / before p50 (target <= 3)": statistics.median(during)
        / statistics.median(before),
        "build: during / before p99": _quantile(during, 0.99) / statistics.median(before),
        "build: longest search ms": max(during) * 1e3,
    }


def _searching(
    store: EmbeddedStore,
    rows: Rows,
    queries: Rows,
    wanted: NDArray[np.int64],
    shares: NDArray[np.int64],
) -> dict[str, float]:
    found = [_keys(store, query, None) for query in queries]
    figures = {
        "store: p50 ms": _ms(_search_times(store, queries, 300)),
        "store: recall@10": recall(found, wanted),
    }
    for percent, limit in SHARES.items():
        filter = {"must": [{"key": "metadata.share", "range": {"lt": limit}}]}
        members = np.flatnonzero(shares < limit)
        best = members[nearest(rows[members], queries, min(K, len(members) - 1))]
        found = [_keys(store, query, filter) for query in queries]
        times = []
        for query in queries:
            start = time.perf_counter()
            store.query("c", query, filter=filter)
            times.append(time.perf_counter() - start)
        figures[f"filtered {percent} %: p50 ms (target <= 5)"] = _ms(times)
        figures[f"filtered {percent} %: recall@10 (target >= 0.98)"] = recall(found, best)
    return figures


def _labelling(store: EmbeddedStore, queries: Rows, ids: list[str]) -> dict[str, float]:
    labels = np.random.default_rng(3).integers(30, size=len(ids))
    store.write_labels("c", "k", ids, labels)
    before = _search_times(store, queries, 300)
    rates = []

    def relabel() -> None:
        for _ in range(5):
            start = time.perf_counter()
            store.write_labels("c", "k", ids, np.random.permutation(labels))  # noqa: NPY002 (any)
            rates.append(len(ids) / (time.perf_counter() - start))

    during = _while(relabel, lambda: _search_times(store, queries, 1), 0.002)
    after = _search_times(store, queries, 300)
    middle = statistics.median(before)
    filter = {"must": [{"key": "clusters.k", "match": {"value": 3}}]}
    store.query("c", queries[0], filter=filter)  # the first lookup of a label is the dear one
    times = []
    for query in queries:
        start = time.perf_counter()
        store.query("c", query, filter=filter)
        times.append(time.perf_counter() - start)
    return {
        "labels/s (target >= 50000)": statistics.median(rates),
        "re-labelling: during / before p50 (target <= 1.2)": statistics.median(during) / middle,
        "re-labelling: after / before p50 (target <= 1.2)": statistics.median(after) / middle,
        "re-labelling: longest search ms": max(during) * 1e3,
        "points out of the graph afterwards": POINTS - store.stats("c").indexed,
        "filtered by a label of 3 %: p50 ms": _ms(times),
    }


def _reading(store: EmbeddedStore) -> dict[str, float]:
    start = time.perf_counter()
    n = sum(len(ids) for ids, _ in store.vectors("c"))
    return {"vectors/s (target >= 30000)": n / (time.perf_counter() - start)}


def _by_http(data: Path) -> dict[str, float]:
    """One client that asks the service for the neighbours of an indexed image, again and again."""
    bodies = [json.dumps({"id": str(i), "limit": K}).encode() for i in range(QUERIES)]
    path = "/v1/collections/c/search"
    requests = [load.request(path, body, "application/json") for body in bodies]
    with service(data) as (port, _, _):
        load.run(port, requests, clients=1, total=QUERIES)
        times = load.run(port, requests, clients=1, total=5 * QUERIES).latencies
    return {"by id over HTTP: p50 ms (target <= 5)": _ms(times)}


def _local_mode(rows: Rows, queries: Rows) -> dict[str, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is not meant for this is what is measured
        client = QdrantClient(":memory:")
        params = models.VectorParams(size=rows.shape[1], distance=models.Distance.COSINE)
        client.create_collection("c", vectors_config=params)
        client.upload_collection("c", vectors=rows, ids=range(len(rows)))
        times = []
        for query in queries[:10]:
            start = time.perf_counter()
            client.query_points("c", query, limit=K)
            times.append(time.perf_counter() - start)
        client.close()
    return {"local mode: p50 ms": _ms(times)}


def _keys(store: EmbeddedStore, query: Rows, filter: Mapping[str, object] | None) -> list[int]:
    return [int(hit.payload["key"]) for hit in store.query("c", query, limit=K, filter=filter)]


def _search_times(store: EmbeddedStore, queries: Rows, n: int) -> list[float]:
    times = []
    for i in range(n):
        start = time.perf_counter()
        store.query("c", queries[i % len(queries)], limit=K)
        times.append(time.perf_counter() - start)
    return times


def _while(
    work: Callable[[], object], measure: Callable[[], list[float]], rest: float
) -> list[float]:
    """What is measured, again and again with a rest (seconds), while the work is done in a thread."""
    thread, times = threading.Thread(target=work), list[float]()
    thread.start()
    while thread.is_alive():
        times += measure()
        time.sleep(rest)
    thread.join()
    return times


def _ms(times: list[float]) -> float:
    return statistics.median(times) * 1e3


def _quantile(times: list[float], share: float) -> float:
    return sorted(times)[int(share * (len(times) - 1))]
