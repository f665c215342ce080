"""The embedded store against its own engine, hnswlib and qdrant-client's local mode.

Takes about half an hour; `BENCH_DIMS=512` or `BENCH_POINTS=20000` make it shorter.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import tempfile
import threading
import time
import warnings
from array import array
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import hnswlib
import numpy as np
import qdrant_edge as edge
from numpy.typing import NDArray
from qdrant_client import QdrantClient, models

from bench import load
from bench.service import service
from bench.vectors import clustered, nearest, queries_near, recall
from lookalike_service.spaces import Space
from lookalike_service.store.edge_engine import EdgeEngine
from lookalike_service.store.embedded import EmbeddedStore
from lookalike_service.store.engine import Nearest
from lookalike_service.store.filters import EVERYTHING
from lookalike_service.store.protocol import Collection, Point, point_id

POINTS = int(os.environ.get("BENCH_POINTS", "100000"))
DIMS = [int(dim) for dim in os.environ.get("BENCH_DIMS", "512,1280").split(",")]
QUERIES, K, BATCH = 100, 10, 256
SHARES = {"0.1": 1, "1": 10, "5": 50, "10": 100, "50": 500}  # percent: of a thousand
Rows = NDArray[np.float32]


class Search(Protocol):
    """The rows nearest to a query."""

    def __call__(self, query: Rows, ef: int) -> list[int]:
        """With this effort."""
        ...


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
        figures = {"engine alone: upserts/s": _own_rate(Path(folder) / "own", rows, ids, shares)}
        store = EmbeddedStore(Path(folder) / "data", settle=1e9)
        figures |= _loading(store, rows, shares, dim)
        figures |= _building(store, queries)
        figures |= _searching(store, rows, queries, wanted, shares)
        figures |= _labelling(store, queries, ids)
        figures |= _reading(store)
        store.close()
        figures |= _by_http(Path(folder) / "data")
        figures |= _in_process(Path(folder) / "data" / "indexed" / "c@1", queries, wanted)
    figures |= _hnswlib(rows, queries, wanted)
    if dim == min(DIMS):
        figures |= _local_mode(rows, queries)
        local = figures["local mode: p50 ms"]
        figures["local mode / store p50 (target >= 100)"] = local / figures["store: p50 ms"]
    for writers in ("one writer", "two writers"):
        upserts = figures[f"store: upserts/s, {writers}"] / figures["engine alone: upserts/s"]
        figures[f"store / engine upserts, {writers} (target >= 0.8)"] = upserts
    times = figures["engine, least ef: p50 ms"] / figures["hnswlib, least ef: p50 ms"]
    figures["engine / hnswlib p50 at recall >= 0.99 (target <= 3)"] = times
    return figures


def _own_rate(folder: Path, rows: Rows, ids: list[str], shares: NDArray[np.int64]) -> float:
    """The binding called in this process with the same points, by the cheapest conversion."""
    folder.mkdir()
    config = edge.EdgeConfig(
        vectors={"v": edge.EdgeVectorParams(rows.shape[1], edge.Distance.Cosine)}
    )
    shard = edge.EdgeShard.create(str(folder), config)
    index = edge.PayloadSchemaType.Integer
    shard.update(edge.UpdateOperation.create_field_index("metadata.share", index))
    start = time.perf_counter()
    for at in range(0, POINTS, BATCH):
        points = [
            edge.Point(ids[i], {"v": _array(rows[i])}, _payload(i, shares))
            for i in range(at, min(POINTS, at + BATCH))
        ]
        shard.update(edge.UpdateOperation.upsert_points(points))
    rate = POINTS / (time.perf_counter() - start)
    shard.close()
    shutil.rmtree(folder)
    return rate


def _loading(
    store: EmbeddedStore, rows: Rows, shares: NDArray[np.int64], dim: int
) -> dict[str, float]:
    space = Space("bench", "1", "avg", "none", dim)
    store.create_collection(Collection("c", space, "now", {"metadata.share": "integer"}))
    points = [Point(point_id(str(i)), rows[i], _payload(i, shares)) for i in range(POINTS)]
    batches = [points[at : at + BATCH] for at in range(0, POINTS, BATCH)]
    half = len(batches) // 2
    start = time.perf_counter()
    for batch in batches[:half]:
        store.upsert("c", batch)
    alone = half * BATCH / (time.perf_counter() - start)
    with ThreadPoolExecutor(2) as pool:
        start = time.perf_counter()
        list(pool.map(lambda batch: store.upsert("c", batch), batches[half:]))
    together = (POINTS - half * BATCH) / (time.perf_counter() - start)
    return {"store: upserts/s, one writer": alone, "store: upserts/s, two writers": together}


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


def _in_process(folder: Path, queries: Rows, wanted: NDArray[np.int64]) -> dict[str, float]:
    """What a search costs in the engine itself."""
    engine = EdgeEngine(folder, folder / "labels.db")
    vector = engine.layout("c").vector

    def search(query: Rows, ef: int | None) -> list[int]:
        asked = [Nearest(query, EVERYTHING, K, ef=ef)]
        (hits,) = engine.nearest("c", asked, vector=vector, without=("thumbnail",))
        return [int(hit.payload["key"]) for hit in hits]

    p50, found = _tried(lambda query: search(query, None), queries, wanted)
    figures = {"engine: p50 ms (target <= 1)": p50, "engine: recall@10 (target >= 0.99)": found}
    figures |= _least_ef("engine", search, queries, wanted)
    engine.close()
    return figures


def _hnswlib(rows: Rows, queries: Rows, wanted: NDArray[np.int64]) -> dict[str, float]:
    """The same graph parameters."""
    index = hnswlib.Index("ip", rows.shape[1])
    index.init_index(len(rows), ef_construction=100, M=16)
    index.add_items(rows)
    index.set_num_threads(1)

    def search(query: Rows, ef: int) -> list[int]:
        index.set_ef(ef)
        found: list[int] = index.knn_query(query, k=K)[0][0].tolist()
        return found

    return _least_ef("hnswlib", search, queries, wanted)


def _least_ef(
    engine: str, search: Search, queries: Rows, wanted: NDArray[np.int64]
) -> dict[str, float]:
    """At the smallest ef that finds 99 %."""
    for ef in (20, 24, 32, 48, 64, 96, 128, 256):  # the planner gives 2 x limit at least
        p50, found = _tried(partial(search, ef=ef), queries, wanted)
        if found >= 0.99:
            break
    return {
        f"{engine}, least ef: ef": ef,
        f"{engine}, least ef: recall@10": found,
        f"{engine}, least ef: p50 ms": p50,
    }


def _tried(
    search: Callable[[Rows], list[int]], queries: Rows, wanted: NDArray[np.int64]
) -> tuple[float, float]:
    """(p50 in ms, recall) over the queries, three times each."""
    times, found = [], []
    for query in [*queries, *queries, *queries]:
        start = time.perf_counter()
        found.append(search(query))
        times.append(time.perf_counter() - start)
    return _ms(times), recall(found[: len(queries)], wanted)


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


def _array(row: Rows) -> Any:
    """What the binding reads fastest; its stubs know lists alone."""
    return array("f", row.tobytes())


def _payload(i: int, shares: NDArray[np.int64]) -> dict[str, Any]:
    """What the service writes with an image, but for the thumbnail."""
    return {
        "key": str(i),
        "sha256": f"{i:064x}",
        "source": f"pictures/{i:06}.jpg",
        "width": 500,
        "height": 375,
        "format": "jpeg",
        "indexed_at": "2026-01-01T00:00:00Z",
        "metadata": {"share": int(shares[i])},
    }


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
