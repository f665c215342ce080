"""Writing points: the embedded store and its engine alone, in turns, so that both see the same machine."""

from __future__ import annotations

import shutil
import statistics
import time
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import qdrant_edge as edge
from numpy.typing import NDArray

from lookalike_service.spaces import Space
from lookalike_service.store.embedded import EmbeddedStore
from lookalike_service.store.protocol import Collection, Point, point_id

BATCH, BATCHES_IN_TURN = 256, 16
Rows = NDArray[np.float32]


def fill(
    store: EmbeddedStore, folder: Path, rows: Rows, shares: NDArray[np.int64]
) -> dict[str, float]:
    """Create collection `c` of the rows; `folder` is for the engine's own copy, which is removed."""
    space = Space("bench", "1", "avg", "none", rows.shape[1])
    store.create_collection(Collection("c", space, "now", {"metadata.share": "integer"}))
    points = [Point(point_id(str(i)), row, payload(i, shares)) for i, row in enumerate(rows)]
    batches = [points[at : at + BATCH] for at in range(0, len(points), BATCH)]
    shard = _shard(folder, rows.shape[1])
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(2) as two, ThreadPoolExecutor(1) as alone:
        into_store = partial(store.upsert, "c")
        ways = {
            "one writer": partial(one.map, into_store),
            "engine alone": partial(alone.map, partial(_upsert, shard)),
            "two writers": partial(two.map, into_store),
        }
        rates = _in_turns(ways, batches)
    shard.close()
    shutil.rmtree(folder)
    return {f"upserts/s, {way}": statistics.median(found) for way, found in rates.items()} | {
        f"store / engine upserts, {way} (target >= 0.8)": statistics.median(
            ours / alone for ours, alone in zip(rates[way], rates["engine alone"], strict=False)
        )
        for way in ("one writer", "two writers")
    }


def _in_turns(
    ways: Mapping[str, Callable[[Sequence[Sequence[Point]]], Iterator[None]]],
    batches: list[list[Point]],
) -> dict[str, list[float]]:
    """Points per second of each turn. Every batch goes to the store once; the engine gets some too."""
    rates: dict[str, list[float]] = {way: [] for way in ways}
    left = batches
    while left:
        for way, write in ways.items():
            some = left[:BATCHES_IN_TURN] or batches[:BATCHES_IN_TURN]
            start = time.perf_counter()
            for _ in write(some):
                pass
            rates[way].append(sum(map(len, some)) / (time.perf_counter() - start))
            if way != "engine alone":
                left = left[BATCHES_IN_TURN:]
    return rates


def _shard(folder: Path, dim: int) -> edge.EdgeShard:
    folder.mkdir()
    config = edge.EdgeConfig(vectors={"v": edge.EdgeVectorParams(dim, edge.Distance.Cosine)})
    shard = edge.EdgeShard.create(str(folder), config)
    index = edge.PayloadSchemaType.Integer
    shard.update(edge.UpdateOperation.create_field_index("metadata.share", index))
    return shard


def _upsert(shard: edge.EdgeShard, batch: Sequence[Point]) -> None:
    """By the cheapest conversion."""
    points = [
        edge.Point(point.id, {"v": _array(point.vector)}, dict(point.payload)) for point in batch
    ]
    shard.update(edge.UpdateOperation.upsert_points(points))


def _array(row: Rows) -> Any:
    """What the binding reads fastest; its stubs know lists alone."""
    return array("f", row.tobytes())


def payload(i: int, shares: NDArray[np.int64]) -> dict[str, Any]:
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
