"""What compressed vectors cost in recall, time and bytes, in the embedded engine, against full ones.

Clustered vectors are harder than photographs: a thousand clusters whose members are all about as near.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from bench.store_graphs import median_ms, timed
from bench.vectors import K, clustered, nearest, queries_near, recall
from lookalike_service.store.edge_engine import EdgeEngine
from lookalike_service.store.engine import Nearest
from lookalike_service.store.filters import EVERYTHING
from lookalike_service.store.options import EmbeddedOptions, Quantization
from lookalike_service.store.protocol import point_id

POINTS = int(os.environ.get("BENCH_POINTS", "30000"))
DIMS = [int(dim) for dim in os.environ.get("BENCH_DIMS", "512,1280").split(",")]
QUERIES, BATCH = 100, 1000
Rows = NDArray[np.float32]


def run() -> dict[str, float]:
    figures: dict[str, float] = {}
    for dim in DIMS:
        rows = clustered(POINTS, dim)
        queries = queries_near(rows, QUERIES)
        wanted = nearest(rows, queries, K)
        for quantization in get_args(Quantization):
            found = _measured(quantization, rows, queries, wanted)
            figures |= {f"{quantization} ({dim}): {name}": value for name, value in found.items()}
    return figures


def _measured(
    quantization: Quantization, rows: Rows, queries: Rows, wanted: NDArray[np.int64]
) -> dict[str, float]:
    options = EmbeddedOptions(index_from=1000, quantization=quantization)
    ids = [point_id(str(i)) for i in range(len(rows))]
    row_of = {id: i for i, id in enumerate(ids)}
    with tempfile.TemporaryDirectory() as folder:
        engine = EdgeEngine(Path(folder) / "shards", Path(folder) / "labels.db", options)
        engine.create("c", "v", rows.shape[1])
        for at in range(0, len(rows), BATCH):
            some = slice(at, at + BATCH)
            engine.upsert("c", ids[some], [{}] * len(ids[some]), "v", rows[some])
        engine.optimize("c")

        def search(query: Rows) -> list[int]:
            (hits,) = engine.nearest("c", [Nearest(query, EVERYTHING, K)], vector="v", without=())
            return [row_of[hit.id] for hit in hits]

        times, found = timed([search], queries)
        engine.close()
        compressed = sum(
            file.stat().st_size for file in Path(folder).rglob("quantized.data*") if file.is_file()
        )
    return {
        "recall@10": recall(found[0], wanted),
        "p50 ms": median_ms(times[0]),
        "bytes per compressed vector": compressed / len(rows),
    }
