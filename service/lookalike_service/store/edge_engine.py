"""The embedded engine: one qdrant-edge shard, a folder, per collection.

The binding never releases Python's GIL, so this runs in a process of its own (`engine_process`),
one call at a time. Search is exact until `optimize` builds an HNSW graph, which `rebuild` has done
in another process.
"""

from __future__ import annotations

import json
import re
import shutil
from array import array
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import qdrant_edge as edge
from numpy.typing import NDArray

from lookalike_service.errors import (
    CollectionExists,
    Internal,
    LookalikeError,
    SpaceMismatch,
    StoreUnavailable,
    UnknownCollection,
)
from lookalike_service.store.edge_filters import edge_filter
from lookalike_service.store.engine import Nearest
from lookalike_service.store.filters import EVERYTHING, FieldCondition, IsEmpty, Where
from lookalike_service.store.label_table import LabelTable
from lookalike_service.store.options import (
    EMBEDDED_DEFAULTS,
    OVERSAMPLING,
    EmbeddedOptions,
    Quantization,
)
from lookalike_service.store.planner import EXACT_NUMBERS, effort
from lookalike_service.store.protocol import FieldType, Hit, Record, Stats

_SCHEMA: dict[FieldType, edge.PayloadSchemaType] = {
    "keyword": edge.PayloadSchemaType.Keyword,
    "integer": edge.PayloadSchemaType.Integer,
    "float": edge.PayloadSchemaType.Float,
    "bool": edge.PayloadSchemaType.Bool,
}
_QUANTIZATION: dict[Quantization, Any] = {
    "none": None,
    "scalar": edge.ScalarQuantizationConfig(
        edge.ScalarType.Int8, quantile=0.99, memory=edge.Memory.Pinned
    ),
    "binary": edge.BinaryQuantizationConfig(memory=edge.Memory.Pinned),
}
_FLUSH_AFTER = 10_000
_LABEL_FILTERS = 16
_MOST_VALUES = 100_000
_FULL = re.compile(r"\b(code:|os error) (27|28|122)\b")  # EFBIG, ENOSPC, EDQUOT


@dataclass(frozen=True, slots=True)
class Layout:
    """What a shard of the same kind is made of."""

    vector: str
    dim: int
    indexes: dict[str, FieldType]


class EdgeEngine:
    """An `Engine` over the shards in a folder; not thread-safe, and the folder's only opener.

    `labels` is the database that filters on `clusters.*` are looked up in.
    """

    def __init__(
        self, folder: Path, labels: Path, options: EmbeddedOptions = EMBEDDED_DEFAULTS
    ) -> None:
        self._options = options
        self._flush_after = 1 if options.durable else _FLUSH_AFTER
        self._folder = folder
        self._labels = LabelTable(labels)
        self._rescoring: edge.QuantizationSearchParams | None = None
        if (oversampling := OVERSAMPLING.get(options.quantization)) is not None:
            self._rescoring = edge.QuantizationSearchParams(rescore=True, oversampling=oversampling)
        self._label_filters: OrderedDict[object, edge.ConditionType] = OrderedDict()
        self._shards: dict[str, edge.EdgeShard] = {}
        self._unflushed: dict[str, int] = {}
        self._refusing: set[str] = set()
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob(".*"):  # of a create or drop that was killed
            shutil.rmtree(leftover)

    def ping(self) -> None:
        """Return: the process answers."""

    def flush(self) -> None:
        """Write to disk what has been acknowledged since the last flush, and trim the logs."""
        for name in list(self._unflushed):
            self._flush(name)

    def unflushed(self) -> int:
        """How many points were written since the last flush."""
        return sum(self._unflushed.values())

    def close(self) -> None:
        """Flush and release all shards."""
        self.flush()
        while self._shards:
            self._shards.popitem()[1].close()
        self._labels.close()

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
            probe = Nearest(np.ones(dim, np.float32), EVERYTHING, 1)
            self.nearest(name, [probe], vector=vector, without=())
        except SpaceMismatch as error:
            raise CollectionExists(f"{error.detail}; delete it or choose another name") from error

    def drop(self, name: str) -> None:
        """See `Engine`."""
        path = self._folder / name
        if (shard := self._shards.pop(name, None)) is not None:
            shard.close()
        self._unflushed.pop(name, None)
        self._refusing.discard(name)
        if path.exists():
            shutil.rmtree(path.rename(self._folder / f".dropping-{name}"))

    def create_index(self, name: str, path: str, type: FieldType) -> None:
        """See `Engine`."""
        self._update(name, edge.UpdateOperation.create_field_index(path, _SCHEMA[type]))

    def optimize(self, name: str) -> bool:
        """Build the HNSW graph over all points; nothing else is answered meanwhile."""
        with _in_our_words(name):
            return self._shard(name).optimize()

    def stats(self, name: str) -> Stats:
        """See `Engine`."""
        with _in_our_words(name):
            info = self._shard(name).info()
        return Stats(info.points_count, info.indexed_vectors_count, building=False)

    def layout(self, name: str) -> Layout:
        """What is needed to create a shard like it."""
        with _in_our_words(name):
            shard = self._shard(name)
            schema = shard.info().payload_schema
        # The binding has no other way to ask.
        config = json.loads((self._folder / name / "edge_config.json").read_bytes())
        ((vector, parameters),) = config["vectors"].items()
        types: dict[edge.PayloadSchemaType, FieldType] = {s: type for type, s in _SCHEMA.items()}
        indexes = {path: types[index.data_type] for path, index in schema.items()}
        return Layout(vector, parameters["size"], indexes)

    # -- points

    def upsert(
        self,
        name: str,
        ids: Sequence[str],
        payloads: Sequence[Mapping[str, Any]],
        vector: str | None = None,
        vectors: NDArray[np.float32] | None = None,
        *,
        insert_only: bool = False,
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
        mode = edge.UpdateMode.InsertOnly if insert_only else edge.UpdateMode.Upsert
        operation = edge.UpdateOperation.upsert_points(points, update_mode=mode)
        self._update(name, operation, len(points))

    def delete(self, name: str, where: Where) -> None:
        """See `Engine`."""
        self._update(name, edge.UpdateOperation.delete_points_by_filter(self._filter(name, where)))

    def set_payload(
        self, name: str, where: Where, payload: Mapping[str, Any], within: str | None = None
    ) -> None:
        """See `Engine`. By filter, because one missing id fails a whole update by ids."""
        matching = self._filter(name, where)
        self._update(
            name, edge.UpdateOperation.set_payload_by_filter(matching, dict(payload), within)
        )

    def delete_payload(self, name: str, where: Where, path: str) -> None:
        """See `Engine`."""
        matching = self._filter(name, where)
        self._update(name, edge.UpdateOperation.delete_payload_by_filter(matching, [path]))

    def count(self, name: str, where: Where) -> int:
        """See `Engine`."""
        with _in_our_words(name):
            return self._shard(name).count(edge.CountRequest(True, self._filter(name, where)))

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
            filter=self._filter(name, where),
            with_payload=edge.PayloadSelector.Exclude(list(without)),
            with_vector=False,
        )
        with _in_our_words(name):
            found, following = self._shard(name).scroll(request)
        return [_record(point, None) for point in found], _id(following)

    def ids(
        self, name: str, where: Where, *, limit: int, start: str | None
    ) -> tuple[list[str], str | None]:
        """See `Engine`."""
        found, following = self._page(name, where, limit, start, payload=False, vector=False)
        return [str(point.id) for point in found], following

    def vectors(
        self, name: str, where: Where, *, vector: str, dim: int, limit: int, start: str | None
    ) -> tuple[list[str], NDArray[np.float32], str | None]:
        """See `Engine`."""
        found, following = self._page(name, where, limit, start, payload=False, vector=True)
        return [str(point.id) for point in found], _rows(found, vector, dim), following

    def points(
        self, name: str, where: Where, *, vector: str, dim: int, limit: int, start: str | None
    ) -> tuple[list[str], list[dict[str, Any]], NDArray[np.float32], str | None]:
        """Like `vectors`, with the payloads."""
        found, following = self._page(name, where, limit, start, payload=True, vector=True)
        payloads = [point.payload or {} for point in found]
        return [str(point.id) for point in found], payloads, _rows(found, vector, dim), following

    def _page(
        self, name: str, where: Where, limit: int, start: str | None, *, payload: bool, vector: bool
    ) -> tuple[list[edge.Record], str | None]:
        request = edge.ScrollRequest(
            offset=start,
            limit=limit,
            filter=None if where == EVERYTHING else self._filter(name, where),
            with_payload=payload,
            with_vector=vector,
        )
        with _in_our_words(name):
            found, following = self._shard(name).scroll(request)
        return found, _id(following)

    def nearest(
        self, name: str, queries: Sequence[Nearest], *, vector: str, without: Sequence[str]
    ) -> list[list[Hit]]:
        """See `Engine`."""
        with _in_our_words(name):
            return [self._nearest(name, query, vector, without) for query in queries]

    def _nearest(self, name: str, asked: Nearest, vector: str, without: Sequence[str]) -> list[Hit]:
        shard = self._shard(name)
        matching = None if asked.where == EVERYTHING else self._filter(name, asked.where)
        total = shard.count(edge.CountRequest(exact=False))
        chosen = effort(
            matching=total if matching is None else shard.count(edge.CountRequest(False, matching)),
            total=total,
            dim=len(asked.query),
            limit=asked.limit,
            exact=asked.exact,
            ef=asked.ef,
        )
        request = edge.QueryRequest(
            limit=asked.limit,
            query=edge.Query.Nearest(asked.query.tolist(), using=vector),
            filter=matching,
            with_payload=edge.PayloadSelector.Exclude(list(without)),
            with_vector=asked.vectors,
            params=edge.SearchParams(
                hnsw_ef=chosen.ef,
                exact=chosen.exact,
                acorn=edge.AcornSearchParams(enable=True, max_selectivity=1.0)
                if chosen.acorn
                else None,
                quantization=self._rescoring,
            ),
        )
        return [
            Hit(
                id=str(point.id),
                score=point.score,
                payload=point.payload or {},
                vector=_vector(point.vector, vector) if asked.vectors else None,
            )
            for point in shard.query(request)
        ]

    def facets(self, name: str, where: Where, path: str) -> list[tuple[str | int | bool, int]]:
        """See `Engine`. The engine also lists values that nothing matching holds."""
        request = edge.FacetRequest(
            path, limit=_MOST_VALUES, exact=True, filter=self._filter(name, where)
        )
        with _in_our_words(name):
            found = self._shard(name).facet(request)
        return [(hit.value, hit.count) for hit in found.hits if hit.count]

    # -- filters

    def _filter(self, name: str, where: Where) -> edge.Filter:
        def labelled(condition: FieldCondition, clustering: str) -> edge.ConditionType:
            return self._label_filter(name, condition, clustering)

        return edge_filter(where, labelled)

    def _label_filter(
        self, name: str, condition: FieldCondition, clustering: str
    ) -> edge.ConditionType:
        """The ids whose labels match. Kept: handing 50,000 to the binding takes 0.1 s."""
        collection = name.partition("@")[0]  # its points in all spaces have the same labels
        version = self._labels.versions(collection).get(clustering)
        key = (collection, repr(condition), version)
        if key not in self._label_filters:
            found = edge.HasIdCondition({*self._labels.matching(collection, clustering, condition)})
            inverted = isinstance(condition, IsEmpty)
            self._label_filters[key] = edge.Filter(must_not=[found]) if inverted else found
            while len(self._label_filters) > _LABEL_FILTERS:
                self._label_filters.popitem(last=False)
        self._label_filters.move_to_end(key)
        return self._label_filters[key]

    # -- shards

    def _shard(self, name: str) -> edge.EdgeShard:
        if name not in self._shards:
            path = self._folder / name
            if not path.is_dir():
                raise UnknownCollection(f"there is no collection {name!r}")
            # An optimisation that was killed leaves its half-built segments behind.
            shutil.rmtree(path / "temp_segments", ignore_errors=True)
            self._shards[name] = _loaded(name, path)
        return self._shards[name]

    def _update(self, name: str, operation: edge.UpdateOperation, points: int = 1) -> None:
        if name in self._refusing:
            self._reopen(name)
        try:
            with _in_our_words(name):
                self._shard(name).update(operation)
        except StoreUnavailable:
            self._refusing.add(name)
            raise
        self._unflushed[name] = self._unflushed.get(name, 0) + points
        if self._unflushed[name] >= self._flush_after:
            self._flush(name)

    def _reopen(self, name: str) -> None:
        """Load a shard again that found no room: it takes no more writes before, though it answers."""
        with _in_our_words(name):
            if (shard := self._shards.pop(name, None)) is not None:
                shard.close()
            self._shard(name)
        self._refusing.discard(name)

    def _flush(self, name: str) -> None:
        self._unflushed.pop(name)
        self._shard(name).flush()

    def _config(self, vector: str, dim: int) -> edge.EdgeConfig:
        # Values of indexed fields held by more points than are compared one by one get links of
        # their own in the graph, which keeps filtered searches good.
        numbers = min(EXACT_NUMBERS, self._options.index_from * dim // 2)
        kilobytes = max(1, numbers * 4 // 1024)
        return edge.EdgeConfig(
            vectors={
                vector: edge.EdgeVectorParams(
                    dim,
                    edge.Distance.Cosine,
                    memory=edge.Memory.Cold if self._options.vectors_on_disk else None,
                )
            },
            quantization_config=_QUANTIZATION[self._options.quantization],
            hnsw_config=edge.HnswIndexConfig(m=16, ef_construct=100, full_scan_threshold=kilobytes),
            optimizers=edge.EdgeOptimizersConfig(
                indexing_threshold=kilobytes, default_segment_number=1
            ),
        )


def _loaded(name: str, path: Path) -> edge.EdgeShard:
    """The shard of a folder. Raises StoreUnavailable for want of room, else Internal."""
    try:
        with _in_our_words(name):
            return edge.EdgeShard.load(str(path))
    except StoreUnavailable:
        raise
    except Exception as error:
        raise Internal(
            f"collection {name.partition('@')[0]!r} cannot be opened, the others can: delete it and index "
            f"its images again, or restore a backup ({str(error).replace(f'{path}/', '')})"
        ) from error


@contextmanager
def _in_our_words(name: str) -> Iterator[None]:
    """Every error of the binding is a bare Exception; its message tells them apart."""
    try:
        yield
    except LookalikeError:
        raise
    except Exception as error:
        if "Not existing vector name" in str(error):
            raise SpaceMismatch(f"collection {name!r} holds vectors of another space") from error
        if _FULL.search(str(error)):
            raise StoreUnavailable(
                f"there is no room on the disk to write to collection {name!r}; what was acknowledged "
                f"is kept, searches go on ({error})",
                retry_after=60,
            ) from error
        raise


def _id(id: object) -> str | None:
    return None if id is None else str(id)


def _record(point: edge.Record, vector: str | None) -> Record:
    return Record(
        id=str(point.id),
        payload=point.payload or {},
        vector=None if vector is None else _vector(point.vector, vector),
    )


def _rows(found: Sequence[edge.Record], vector: str, dim: int) -> NDArray[np.float32]:
    rows = np.empty((len(found), dim), np.float32)
    for row, point in zip(rows, found, strict=True):
        row[:] = _vector(point.vector, vector)
    return rows


def _vector(vectors: edge.Vector | None, name: str) -> NDArray[np.float32]:
    numbers = vectors.get(name) if isinstance(vectors, dict) else None
    if not isinstance(numbers, list):
        raise Internal(f"a stored point has no vector {name!r}")
    # Twice as fast as numpy's own conversion of a list; all vectors here are flat.
    return np.frombuffer(array("f", cast("list[float]", numbers)), np.float32)
