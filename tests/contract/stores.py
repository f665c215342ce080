"""The stores that the contract holds for: each opened empty, or as good as."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from qdrant_client import QdrantClient

from lookalike_service.settings import Settings
from lookalike_service.spaces import Space
from lookalike_service.store.embedded import EmbeddedStore
from lookalike_service.store.point_store import PointStore
from lookalike_service.store.protocol import Collection, Point, Vector, point_id
from lookalike_service.store.server import ServerStore, connect

DIM = 8
SPACE = Space("fake", "weights-1", "avg", "8x8", DIM)


@contextmanager
def embedded(folder: Path) -> Iterator[PointStore]:
    store = EmbeddedStore(folder)
    try:
        yield store
    finally:
        store.close()


@contextmanager
def memory(folder: Path) -> Iterator[PointStore]:
    store = ServerStore(QdrantClient(":memory:"))
    yield store
    store.close()


@contextmanager
def server(folder: Path) -> Iterator[PointStore]:
    store = ServerStore(connect(os.environ["QDRANT_URL"], os.environ.get("QDRANT_API_KEY")))
    yield store
    for collection in store.collections():
        store.delete_collection(collection.name)
    store.close()


STORES: dict[str, Callable[[Path], AbstractContextManager[PointStore]]] = {
    "embedded": embedded,
    "memory": memory,
}
if "QDRANT_URL" in os.environ:
    STORES["server"] = server


def collection(name: str, space: Space = SPACE) -> Collection:
    return Collection(name, space, "2026-01-01T00:00:00Z", {})


def vector(seed: int, dim: int = DIM) -> Vector:
    """float32 (dim,) of unit norm, another for each seed."""
    drawn = np.random.default_rng(seed).standard_normal(dim)
    return (drawn / np.linalg.norm(drawn)).astype(np.float32)


def near(one: Vector | None, other: Vector) -> None:
    """Assert that two vectors are equal but for rounding."""
    assert one is not None
    np.testing.assert_allclose(one, other, atol=1e-6)


def settings(**values: Any) -> Settings:
    """Settings of a test: these, and else the defaults."""
    return Settings(**values)


def point(key: str | int, value: Vector | None = None, **metadata: Any) -> Point:
    """A point as the service writes it; its vector is drawn from its key unless given."""
    seed = key if isinstance(key, int) else sum(key.encode())
    payload = {"key": str(key), "metadata": metadata}
    return Point(point_id(str(key)), vector(seed) if value is None else value, payload)
