"""The store protocol on any engine: what both kinds of store share, which is nearly everything."""

from __future__ import annotations

import difflib
import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from lookalike_service.errors import (
    CollectionExists,
    InvalidField,
    InvalidVector,
    UnknownCollection,
    UnknownImage,
    WrongDimension,
)
from lookalike_service.schemas import Name
from lookalike_service.spaces import Space
from lookalike_service.store.documents import Documents
from lookalike_service.store.engine import Engine
from lookalike_service.store.filters import IsEmpty, Where, field_path, has_ids, parse_filter
from lookalike_service.store.protocol import (
    Collection,
    FieldType,
    Filter,
    Hit,
    Point,
    Record,
    Vector,
)

_THUMBNAIL = ("thumbnail",)
_UPSERT_BATCH = 256
_LABEL_BATCH = 1000
_NAME = TypeAdapter(Name)


class PointStore:
    """Implements `Store` on an engine. Thread-safe as the engine is."""

    def __init__(self, engine: Engine, kind: Literal["embedded", "qdrant"]) -> None:
        self.kind: str = kind
        self._engine = engine
        self._documents = Documents(engine)

    def check(self) -> None:
        """See `Store`."""
        self._engine.ping()

    def close(self) -> None:
        """See `Store`."""
        self._engine.close()

    # -- collections: the points first, their description last, so that a crash leaves nothing
    # described that is not there

    def create_collection(self, collection: Collection) -> bool:
        """See `Store`. Raises InvalidField for a name or an index that cannot be."""
        name, space = collection.name, collection.space
        try:
            _NAME.validate_python(name)
        except ValidationError as error:
            raise InvalidField(
                f"collection name {name!r}: {error.errors()[0]['msg'].lower()}"
            ) from None
        paths = {_index_path(field): type for field, type in collection.indexes.items()}
        existing = self._documents.get("collection", name)
        if existing is not None and (old := _collection(existing)).space != space:
            raise CollectionExists(
                f"collection {name!r} exists with model {old.space.model} (space {old.space.id}), "
                f"not {space.model} (space {space.id}); delete it or choose another name"
            )
        self._engine.create(name, space.id, space.dim)
        for path, type in paths.items():
            self._engine.create_index(name, path, type)
        if existing is not None:
            return False
        self._put(collection)
        return True

    def collection(self, name: str) -> Collection:
        """See `Store`."""
        body = self._documents.get("collection", name)
        if body is None:
            names = [key for key, _ in self._documents.of_kind("collection")]
            close = difflib.get_close_matches(name, names, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise UnknownCollection(f"there is no collection {name!r}{hint}")
        return _collection(body)

    def collections(self) -> list[Collection]:
        """See `Store`."""
        return [_collection(body) for _, body in self._documents.of_kind("collection")]

    def delete_collection(self, name: str) -> None:
        """See `Store`."""
        self.collection(name)
        self._engine.drop(name)
        self._documents.delete("collection", name)

    def create_index(self, name: str, field: str, type: FieldType) -> None:
        """See `Store`. Raises InvalidField for a field that cannot be filtered by."""
        collection = self.collection(name)
        self._engine.create_index(name, _index_path(field), type)
        self._put(replace(collection, indexes={**collection.indexes, field: type}))

    def _put(self, collection: Collection) -> None:
        self._documents.put("collection", collection.name, asdict(collection))

    # -- points

    def upsert(self, name: str, points: Sequence[Point]) -> None:
        """See `Store`. Nothing is written if any point is refused."""
        space = self.collection(name).space
        for point in points:
            _check_payload(point.id, point.payload)
        vectors = [_unit(point.vector, space, f"point {point.id}") for point in points]
        for at in range(0, len(points), _UPSERT_BATCH):
            batch = points[at : at + _UPSERT_BATCH]
            self._engine.upsert(
                name,
                [point.id for point in batch],
                [point.payload for point in batch],
                space.id,
                np.stack(vectors[at : at + _UPSERT_BATCH]),
            )

    def retrieve(
        self, name: str, ids: Sequence[str], *, vectors: bool = False, thumbnails: bool = False
    ) -> list[Record]:
        """See `Store`."""
        space = self.collection(name).space
        without = () if thumbnails else _THUMBNAIL
        found = self._engine.retrieve(
            name, ids, vector=space.id if vectors else None, without=without
        )
        by_id = {record.id: record for record in found}
        return [by_id[id] for id in ids if id in by_id]

    def delete(self, name: str, ids: Sequence[str]) -> int:
        """See `Store`."""
        return self._delete(name, has_ids(ids))

    def delete_matching(self, name: str, filter: Filter) -> int:
        """See `Store`."""
        return self._delete(name, parse_filter(filter))

    def _delete(self, name: str, where: Where) -> int:
        self.collection(name)
        matching = self._engine.count(name, where)
        if matching:
            self._engine.delete(name, where)
        return matching

    def set_payload(self, name: str, id: str, payload: Mapping[str, Any]) -> None:
        """See `Store`. A key whose value is None is removed."""
        _check_payload(id, payload)
        if not self.retrieve(name, [id]):
            raise UnknownImage(f"there is no image with point id {id} in collection {name!r}")
        self._engine.set_payload(name, has_ids([id]), payload)

    def count(self, name: str, filter: Filter | None = None) -> int:
        """See `Store`."""
        self.collection(name)
        return self._engine.count(name, parse_filter(filter))

    def scroll(
        self,
        name: str,
        *,
        filter: Filter | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> tuple[list[Record], str | None]:
        """See `Store`. Raises InvalidField for a cursor that is none of ours."""
        _check_page(limit)
        self.collection(name)
        return self._engine.scroll(
            name,
            parse_filter(filter),
            limit=limit,
            start=None if cursor is None else _cursor(cursor),
            without=_THUMBNAIL,
        )

    def query(
        self,
        name: str,
        vector: Vector,
        *,
        limit: int = 10,
        offset: int = 0,
        filter: Filter | None = None,
        score_threshold: float | None = None,
        vectors: bool = False,
    ) -> list[Hit]:
        """See `Store`. Scores have six decimals."""
        _check_page(limit, offset)
        space = self.collection(name).space
        query, where = _unit(vector, space, "the query"), parse_filter(filter)
        end, wanted = offset + limit, offset + limit + 1
        while True:
            found = self._engine.nearest(
                name,
                query,
                where,
                vector=space.id,
                limit=wanted,
                vectors=vectors,
                without=_THUMBNAIL,
            )
            hits = [replace(hit, score=_cosine(hit.score)) for hit in found]
            # Engines break ties as they like, so all hits tied with the last one are needed.
            if len(hits) < wanted or hits[-1].score < hits[end - 1].score:
                break
            wanted *= 2
        if score_threshold is not None:
            hits = [hit for hit in hits if hit.score >= score_threshold]
        return sorted(hits, key=lambda hit: (-hit.score, hit.id))[offset:end]

    def vectors(
        self, name: str, *, filter: Filter | None = None, batch: int = 1000
    ) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
        """See `Store`."""
        space, where = self.collection(name).space, parse_filter(filter)
        return self._batches(name, space, where, batch)

    def _batches(
        self, name: str, space: Space, where: Where, limit: int
    ) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
        start: str | None = None
        while True:
            ids, rows, start = self._engine.vectors(
                name, where, vector=space.id, dim=space.dim, limit=limit, start=start
            )
            if ids:
                yield ids, rows
            if start is None:
                return

    def write_labels(
        self, name: str, clustering: str, ids: Sequence[str], labels: NDArray[np.int64]
    ) -> None:
        """See `Store`. Raises ValueError unless there is one label per id."""
        if labels.shape != (len(ids),):
            raise ValueError(f"{len(ids)} ids need labels of that length, not {labels.shape}")
        self.collection(name)
        for label in np.unique(labels):
            members = np.flatnonzero(labels == label)
            for at in range(0, len(members), _LABEL_BATCH):
                some = has_ids(ids[i] for i in members[at : at + _LABEL_BATCH])
                self._engine.set_payload(name, some, {clustering: int(label)}, within="clusters")

    def drop_labels(self, name: str, clustering: str) -> None:
        """See `Store`."""
        self.collection(name)
        path = field_path(f"clusters.{clustering}")
        self._engine.delete_payload(name, Where(must_not=(IsEmpty(path),)), path)

    # -- documents

    def put_document(self, kind: str, key: str, body: Mapping[str, Any]) -> None:
        """See `Store`."""
        self._documents.put(kind, key, body)

    def document(self, kind: str, key: str) -> dict[str, Any] | None:
        """See `Store`."""
        return self._documents.get(kind, key)

    def documents(self, kind: str) -> list[tuple[str, dict[str, Any]]]:
        """See `Store`."""
        return self._documents.of_kind(kind)

    def delete_document(self, kind: str, key: str) -> None:
        """See `Store`."""
        self._documents.delete(kind, key)

    def put_arrays(self, kind: str, key: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """See `Store`."""
        self._documents.put_arrays(kind, key, arrays)

    def arrays(self, kind: str, key: str) -> dict[str, NDArray[Any]] | None:
        """See `Store`."""
        return self._documents.arrays(kind, key)


def _collection(body: Mapping[str, Any]) -> Collection:
    return Collection(**{**body, "space": Space(**body["space"])})


def _index_path(field: str) -> str:
    try:
        return field_path(field)
    except ValueError as error:
        raise InvalidField(f"index {error}") from None


def _check_page(limit: int, offset: int = 0) -> None:
    if limit < 1 or offset < 0:
        raise InvalidField(f"limit must be ≥ 1 and offset ≥ 0, not {limit} and {offset}")


def _cursor(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise InvalidField(f"cursor {text!r} is not one that a page was answered with") from None


def _check_payload(id: str, payload: Mapping[str, Any]) -> None:
    """Refuse what JSON cannot carry (NaN, lone surrogates): the engines differ over it."""
    try:
        json.dumps(payload, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, TypeError) as error:
        raise InvalidField(f"the payload of point {id} is not JSON: {error}") from None


def _cosine(score: float) -> float:
    """Within [-1, 1], to the six decimals that float32 arithmetic can vouch for.

    The same vector stored twice may score differently in the last bit.
    """
    return round(min(1.0, max(-1.0, score)), 6)


def _unit(vector: Vector, space: Space, whose: str) -> Vector:
    """The vector as float32 (dim,) of unit L2 norm; `whose` it is goes into the error."""
    wide = np.asarray(vector, np.float64)
    if wide.shape != (space.dim,):
        raise WrongDimension(
            f"the vector of {whose} has shape {list(wide.shape)}; "
            f"{space.model} makes vectors of {space.dim} numbers"
        )
    if not np.isfinite(wide).all():
        raise InvalidVector(f"the vector of {whose} holds NaN or infinity")
    largest = np.abs(wide).max()
    if largest == 0:
        raise InvalidVector(f"the vector of {whose} is all zeros: it has no direction")
    wide = wide / largest  # so that the norm neither overflows nor vanishes
    return np.asarray(wide / np.linalg.norm(wide), np.float32)
