"""What a search costs in the embedded engine itself, and in hnswlib by the same parameters, in turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import hnswlib
import numpy as np
import qdrant_edge as edge
from numpy.typing import NDArray

from bench.vectors import K, recall
from lookalike_service.store.edge_engine import EdgeEngine
from lookalike_service.store.engine import Nearest
from lookalike_service.store.filters import EVERYTHING
from lookalike_service.store.protocol import point_id

Rows = NDArray[np.float32]
Search = Callable[[Rows], list[int]]


def compare(folder: Path, rows: Rows, queries: Rows, wanted: NDArray[np.int64]) -> dict[str, float]:
    """Of collection `c` of the engine in this folder."""
    engine = EdgeEngine(folder, folder / "labels.db")
    vector = engine.layout("c").vector
    row_of = {point_id(str(i)): i for i in range(len(rows))}

    def served(query: Rows) -> list[int]:
        asked = [Nearest(query, EVERYTHING, K)]
        (hits,) = engine.nearest("c", asked, vector=vector, without=("thumbnail",))
        return [row_of[hit.id] for hit in hits]

    times, found = timed([served], queries)
    figures = {
        "engine, as the service asks, with payloads: p50 ms (target <= 1)": median_ms(times[0]),
        "engine, as the service asks: recall@10 (target >= 0.99)": recall(found[0], wanted),
    }
    engine.close()
    return figures | _against_hnswlib(folder / "c", vector, rows, queries, wanted)


def _against_hnswlib(
    folder: Path, vector: str, rows: Rows, queries: Rows, wanted: NDArray[np.int64]
) -> dict[str, float]:
    """Ids and scores alone, which is all that hnswlib gives, each at the least ef that finds 99 %."""
    shard = edge.EdgeShard.load(str(folder))
    row_of = {point_id(str(i)): i for i in range(len(rows))}
    index = hnswlib.Index("ip", rows.shape[1])
    index.init_index(len(rows), ef_construction=100, M=16)
    index.add_items(rows)
    index.set_num_threads(1)

    def engine(query: Rows, ef: int) -> list[int]:
        request = edge.QueryRequest(
            limit=K,
            query=edge.Query.Nearest(query.tolist(), using=vector),
            params=edge.SearchParams(hnsw_ef=ef),
        )
        return [row_of[str(hit.id)] for hit in shard.query(request)]

    def other(query: Rows, ef: int) -> list[int]:
        index.set_ef(ef)
        nearest: list[int] = index.knn_query(query, k=K)[0][0].tolist()
        return nearest

    efs = [_least_ef(search, queries, wanted) for search in (engine, other)]
    searches = [partial(engine, ef=efs[0]), partial(other, ef=efs[1])]
    (ours, theirs), found = timed(searches, queries)
    shard.close()
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    return {
        f"engine, ids alone, ef {efs[0]}: p50 ms": median_ms(ours),
        f"engine, ids alone, ef {efs[0]}: recall@10": recall(found[0], wanted),
        f"hnswlib, ef {efs[1]}: p50 ms": median_ms(theirs),
        f"hnswlib, ef {efs[1]}: recall@10": recall(found[1], wanted),
        "engine / hnswlib time at recall >= 0.99 (target <= 3)": ratio,
    }


def _least_ef(
    search: Callable[[Rows, int], list[int]], queries: Rows, wanted: NDArray[np.int64]
) -> int:
    for ef in (10, 12, 16, 20, 24, 32, 48, 64, 96, 128, 256):
        if recall([search(query, ef) for query in queries], wanted) >= 0.99:
            break
    return ef


def timed(
    searches: Sequence[Search], queries: Rows, rounds: int = 5
) -> tuple[list[list[float]], list[list[list[int]]]]:
    """Seconds of each search for each query, the searches taking turns, and what they found."""
    times: list[list[float]] = [[] for _ in searches]
    found: list[list[list[int]]] = [[] for _ in searches]
    for number in range(rounds):
        for query in queries:
            for i, search in enumerate(searches):
                start = time.perf_counter()
                rows = search(query)
                times[i].append(time.perf_counter() - start)
                if number == 0:
                    found[i].append(rows)
    return times, found


def median_ms(times: list[float]) -> float:
    return statistics.median(times) * 1e3
