"""The embedded engine: one qdrant-edge shard, a folder, per collection.

The binding never releases Python's GIL, so this runs in a process of its own (`engine_process`),
one call at a time. Search is exact until `optimize` builds an HNSW graph.
"""

from __future__ import annotations

import shutil
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import numpy as np
import qdrant_edge as edge
from numpy.typing import NDArray

from lookalike_service.errors import CollectionExists, Internal, SpaceMismatch, UnknownCollection
from lookalike_service.store.edge_filters import edge_filter
from lookalike_service.store.filters import EVERYTHING, Where
from lookalike_service.store.protocol import FieldType, Hit, Record

_SCHEMA = {
    "keyword": edge.PayloadSchemaType.Keyword,
    "integer": edge.PayloadSchemaType.Integer,
    "float": edge.PayloadSchemaType.Float,
    "bool": edge.PayloadSchemaType.Bool,
}
_FLUSH_AFTER = 10_000
_INDEX_FROM = 50_000


class EdgeEngine:
    """An `Engine` over the shards in a folder; not thread-safe, and the folder's only opener.

    `index_from`: collections of fewer points are never given an HNSW graph.
    """

    def __init__(self, folder: Path, *, index_from: int = _INDEX_FROM) -> None:
        self._folder = folder
        self._index_from = index_from
        self._shards: dict[str, edge.EdgeShard] = {}
        self._unflushed: dict[str, int] = {}
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob(".*"):  # of a create or drop that was killed
            shutil.rmtree(leftover)

    def ping(self) -> None:
        """Return: the process answers."""

    def flush(self) -> None:
        """Write to disk what has been acknowledged since the last flush, and trim the logs."""
        for name in list(self._unflushed):
            self._flush(name)

    def close(self) -> None:
        """Flush and release all shards."""
        self.flush()
        while self._shards:
            self._shards.popitem()[1].close()

    # -- collections

    def create(self, name: str, vector: str, dim: int) -> None:
        """See `Engine`. Made under another name first: a half-made shard cannot be opened."""
        path = self._folder / name
        if not path.exists():
            half_made = self._folder / f".creating-{name}"
            shutil.rmtree(half_made, ignore_errors=True)
            half_made.mkdir()
            edge.EdgeShard.create(str(half_made), self._config(vector, dim)).close()
            half_made.rename(path)
        try:
            probe = np.ones(dim, np.float32)
            self.nearest(name, probe, EVERYTHING, vector=vector, limit=1, vectors=False, without=())
        except SpaceMismatch as error:
            raise CollectionExists(f"{error.detail}; delete it or choose another name") from error

    def drop(self, name: str) -> None:
        """See `Engine`."""
        path = self._folder / name
        if (shard := self._shards.pop(name, None)) is not None:
            shard.close()
        self._unflushed.pop(name, None)
        if path.exists():
            shutil.rmtree(path.rename(self._folder / f".dropping-{name}"))

    def create_index(self, name: str, path: str, type: FieldType) -> None:
        """See `Engine`."""
        self._update(name, edge.UpdateOperation.create_field_index(path, _SCHEMA[type]))

    def optimize(self, name: str) -> bool:
        """Build the HNSW graph if enough points have none; nothing else is answered meanwhile."""
        with _in_our_words(name):
            return self._shard(name).optimize()

    # -- points

    def upsert(
        self,
        name: str,
        ids: Sequence[str],
        payloads: Sequence[Mapping[str, Any]],
        vector: str | None = None,
        vectors: NDArray[np.float32] | None = None,
    ) -> None:
        """See `Engine`."""
        rows: Sequence[Any] = [{}] * len(ids)
        if vector is not None and vectors is not None:
            # array.array is what the binding reads fastest
            rows = [{vector: array("f", row.tobytes())} for row in vectors]
        points = [
            edge.Point(id, row, dict(payload))
            for id, row, payload in zip(ids, rows, payloads, strict=True)
        ]
        self._update(name, edge.UpdateOperation.upsert_points(points), len(points))

    def delete(self, name: str, where: Where) -> None:
        """See `Engine`."""
        self._update(name, edge.UpdateOperation.delete_points_by_filter(edge_filter(where)))

    def set_payload(
        self, name: str, where: Where, payload: Mapping[str, Any], within: str | None = None
    ) -> None:
        """See `Engine`. By filter, because one missing id fails a whole update by ids."""
        self._update(
            name,
            edge.UpdateOperation.set_payload_by_filter(edge_filter(where), dict(payload), within),
        )

    def delete_payload(self, name: str, where: Where, path: str) -> None:
        """See `Engine`."""
        self._update(
            name, edge.UpdateOperation.delete_payload_by_filter(edge_filter(where), [path])
        )

    def count(self, name: str, where: Where) -> int:
        """See `Engine`."""
        with _in_our_words(name):
            return self._shard(name).count(edge.CountRequest(True, edge_filter(where)))

    def retrieve(
        self, name: str, ids: Sequence[str], *, vector: str | None, without: Sequence[str]
    ) -> list[Record]:
        """See `Engine`."""
        with _in_our_words(name):
            found = self._shard(name).retrieve(
                list(ids),
                with_payload=edge.PayloadSelector.Exclude(list(without)),
                with_vector=vector is not None,
            )
        return [_record(point, vector) for point in found]

    def scroll(
        self, name: str, where: Where, *, limit: int, start: str | None, without: Sequence[str]
    ) -> tuple[list[Record], str | None]:
        """See `Engine`."""
        request = edge.ScrollRequest(
            offset=start,
            limit=limit,
            filter=edge_filter(where),
            with_payload=edge.PayloadSelector.Exclude(list(without)),
            with_vector=False,
        )
        with _in_our_words(name):
            found, following = self._shard(name).scroll(request)
        return [_record(point, None) for point in found], _id(following)

    def vectors(
        self, name: str, where: Where, *, vector: str, dim: int, limit: int, start: str | None
    ) -> tuple[list[str], NDArray[np.float32], str | None]:
        """See `Engine`."""
        request = edge.ScrollRequest(
            offset=start,
            limit=limit,
            filter=edge_filter(where),
            with_payload=False,
            with_vector=True,
        )
        with _in_our_words(name):
            found, following = self._shard(name).scroll(request)
        rows = np.empty((len(found), dim), np.float32)
        for row, point in zip(rows, found, strict=True):
            row[:] = _vector(point.vector, vector)
        return [str(point.id) for point in found], rows, _id(following)

    def nearest(
        self,
        name: str,
        query: NDArray[np.float32],
        where: Where,
        *,
        vector: str,
        limit: int,
        vectors: bool,
        without: Sequence[str],
    ) -> list[Hit]:
        """See `Engine`."""
        request = edge.QueryRequest(
            limit=limit,
            query=edge.Query.Nearest(query.tolist(), using=vector),
            filter=edge_filter(where),
            with_payload=edge.PayloadSelector.Exclude(list(without)),
            with_vector=vectors,
        )
        with _in_our_words(name):
            found = self._shard(name).query(request)
        return [
            Hit(
                id=str(point.id),
                score=point.score,
                payload=point.payload or {},
                vector=_vector(point.vector, vector) if vectors else None,
            )
            for point in found
        ]

    # -- shards

    def _shard(self, name: str) -> edge.EdgeShard:
        if name not in self._shards:
            path = self._folder / name
            if not path.is_dir():
                raise UnknownCollection(f"there is no collection {name!r}")
            # An optimisation that was killed leaves its half-built segments behind.
            shutil.rmtree(path / "temp_segments", ignore_errors=True)
            self._shards[name] = edge.EdgeShard.load(str(path))
        return self._shards[name]

    def _update(self, name: str, operation: edge.UpdateOperation, points: int = 1) -> None:
        with _in_our_words(name):
            self._shard(name).update(operation)
        self._unflushed[name] = self._unflushed.get(name, 0) + points
        if self._unflushed[name] >= _FLUSH_AFTER:
            self._flush(name)

    def _flush(self, name: str) -> None:
        self._unflushed.pop(name)
        self._shard(name).flush()

    def _config(self, vector: str, dim: int) -> edge.EdgeConfig:
        kilobytes = self._index_from * dim * 4 // 1024
        return edge.EdgeConfig(
            vectors={vector: edge.EdgeVectorParams(dim, edge.Distance.Cosine)},
            hnsw_config=edge.HnswIndexConfig(m=16, ef_construct=100, full_scan_threshold=kilobytes),
            optimizers=edge.EdgeOptimizersConfig(indexing_threshold=kilobytes),
        )


@contextmanager
def _in_our_words(name: str) -> Iterator[None]:
    """Every error of the binding is a bare Exception; its message tells them apart."""
    try:
        yield
    except Exception as error:
        if "Not existing vector name" in str(error):
            raise SpaceMismatch(f"collection {name!r} holds vectors of another space") from error
        raise


def _id(id: object) -> str | None:
    return None if id is None else str(id)


def _record(point: edge.Record, vector: str | None) -> Record:
    return Record(
        id=str(point.id),
        payload=point.payload or {},
        vector=None if vector is None else _vector(point.vector, vector),
    )


def _vector(vectors: edge.Vector | None, name: str) -> NDArray[np.float32]:
    numbers = vectors.get(name) if isinstance(vectors, dict) else None
    if not isinstance(numbers, list):
        raise Internal(f"a stored point has no vector {name!r}")
    # Twice as fast as numpy's own conversion of a list; all vectors here are flat.
    return np.frombuffer(array("f", cast("list[float]", numbers)), np.float32)
