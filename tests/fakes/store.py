"""An in-memory Store: exact answers by numpy, for tests of what stands on a store."""

from __future__ import annotations

import copy
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike_service.errors import (
    CollectionExists,
    InvalidField,
    InvalidFilter,
    InvalidVector,
    SpaceMismatch,
    UnknownCollection,
    UnknownImage,
    WrongDimension,
)
from lookalike_service.spaces import Space
from lookalike_service.store.labels import read_labels
from lookalike_service.store.protocol import (
    MADE_FROM,
    Collection,
    FieldType,
    Filter,
    Hit,
    OtherSpace,
    Point,
    Query,
    Record,
    Stats,
    Vector,
    point_id,
)


@dataclass
class _Points:
    collection: Collection
    vectors: dict[str, Vector] = field(default_factory=dict)
    payloads: dict[str, dict[str, Any]] = field(default_factory=dict)
    other: _Points | None = None
    """The points in a second space; labels are in the payloads of both."""


class FakeStore:
    """Implements `store.protocol.Store`.

    Filters: None, or `must` / `must_not` lists of `has_id` (callers' ids), `is_empty` and
    `match` {"value"} or {"any"} conditions; anything else raises InvalidFilter.
    """

    kind = "embedded"

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._collections: dict[str, _Points] = {}
        self._documents: dict[tuple[str, str], dict[str, Any]] = {}
        self._arrays: dict[tuple[str, str], dict[str, NDArray[Any]]] = {}

    def check(self) -> None:
        return

    def close(self) -> None:
        return

    # -- collections

    def create_collection(self, collection: Collection) -> bool:
        with self._lock:
            existing = self._collections.get(collection.name)
            if existing is None:
                self._collections[collection.name] = _Points(collection)
                return True
            if existing.collection.space != collection.space:
                raise CollectionExists(f"{collection.name!r} exists with another space")
            return False

    def collection(self, name: str) -> Collection:
        if "@" in name:
            raise UnknownCollection(f"no collection {name!r}")
        return self._points(name).collection

    def collections(self) -> list[Collection]:
        with self._lock:
            return [self._collections[name].collection for name in sorted(self._collections)]

    def delete_collection(self, name: str) -> None:
        with self._lock:
            self._points(name)
            del self._collections[name]

    def create_index(self, name: str, field: str, type: FieldType) -> None:
        with self._lock:
            points = self._points(name)
            indexes = {**points.collection.indexes, field: type}
            points.collection = replace(points.collection, indexes=indexes)

    # -- a second space

    def add_space(self, name: str, space: Space) -> None:
        with self._lock:
            stored = self._points(name)
            if stored.collection.space == space:
                raise InvalidField(f"{name!r} is of this space already")
            if stored.other is not None and stored.other.collection.space != space:
                raise CollectionExists(f"{name!r} has another second space")
            if stored.other is None:
                stored.other = _Points(replace(stored.collection, space=space))
                second = OtherSpace(space, f"{name}@{space.id}")
                stored.collection = replace(stored.collection, other=second)

    def lacking(self, name: str, space_id: str, ids: Sequence[str]) -> list[str]:
        with self._lock:
            stored, other = self._points(name), self._other(name, space_id)
            for id in [id for id in ids if id in other.payloads]:
                own, theirs = stored.payloads.get(id), other.payloads[id]
                if own is None or own.get("sha256") != theirs.get("sha256"):
                    del other.vectors[id], other.payloads[id]
                else:
                    made = {key: theirs[key] for key in (MADE_FROM,) if key in theirs}
                    kept = {key: value for key, value in own.items() if key != MADE_FROM}
                    other.payloads[id] = copy.deepcopy(kept) | made
            return [id for id in ids if id in stored.payloads and id not in other.payloads]

    def fill(self, name: str, space_id: str, points: Sequence[Point]) -> int:
        with self._lock:
            stored, other = self._points(name), self._other(name, space_id)
            wanted = [
                point
                for point in points
                if point.id not in other.payloads
                and stored.payloads.get(point.id, {}).get("sha256") == point.payload["sha256"]
            ]
            for point in wanted:
                own = copy.deepcopy(stored.payloads[point.id])
                own.pop(MADE_FROM, None)
                other.vectors[point.id] = self._checked(other, point.vector)
                other.payloads[point.id] = own | dict(point.payload)
            return len(wanted)

    def switch_space(self, name: str, space_id: str) -> Collection:
        with self._lock:
            stored = self._points(name)
            if stored.collection.space.id != space_id:
                other = self._other(name, space_id)
                former = OtherSpace(stored.collection.space, name)
                other.collection = replace(other.collection, other=former)
                stored.collection = replace(stored.collection, other=None)
                stored.other, other.other = None, stored
                self._collections[name] = other
            return self._points(name).collection

    def drop_space(self, name: str, space_id: str) -> None:
        with self._lock:
            stored = self._points(name)
            if stored.collection.space.id == space_id:
                raise SpaceMismatch(f"{name!r} answers in {space_id}")
            if stored.other is not None and stored.other.collection.space.id == space_id:
                stored.other = None
                stored.collection = replace(stored.collection, other=None)

    # -- points

    def upsert(
        self, name: str, points: Sequence[Point], *, made_for: Collection | None = None
    ) -> None:
        with self._lock:
            stored = self._written(name)
            if made_for is not None and made_for.spaces != stored.collection.spaces:
                raise SpaceMismatch(f"{name!r} has other spaces by now")
            checked = [(point, self._checked(stored, point.vector)) for point in points]
            for point, vector in checked:
                stored.vectors[point.id] = vector
                stored.payloads[point.id] = copy.deepcopy(dict(point.payload))
                if (other := stored.other) is not None:
                    other.vectors.pop(point.id, None)
                    other.payloads.pop(point.id, None)
                    if point.other is not None:
                        other.vectors[point.id] = self._checked(other, point.other)
                        other.payloads[point.id] = copy.deepcopy(dict(point.payload))

    def retrieve(
        self, name: str, ids: Sequence[str], *, vectors: bool = False, thumbnails: bool = False
    ) -> list[Record]:
        with self._lock:
            stored = self._points(name)
            return [
                Record(
                    id,
                    _payload(stored, id, thumbnails=thumbnails),
                    stored.vectors[id].copy() if vectors else None,
                )
                for id in ids
                if id in stored.vectors
            ]

    def delete(self, name: str, ids: Sequence[str]) -> int:
        with self._lock:
            stored = self._written(name)
            existing = {id for id in ids if id in stored.vectors}
            for id in existing:
                del stored.vectors[id], stored.payloads[id]
                if stored.other is not None:
                    stored.other.vectors.pop(id, None)
                    stored.other.payloads.pop(id, None)
            return len(existing)

    def delete_matching(self, name: str, filter: Filter) -> int:
        with self._lock:
            return self.delete(name, self._matching(name, filter))

    def set_payload(self, name: str, id: str, payload: Mapping[str, Any]) -> None:
        with self._lock:
            stored = self._written(name)
            if id not in stored.payloads:
                raise UnknownImage(f"no image {id!r} in {name!r}")
            stored.payloads[id] |= copy.deepcopy(dict(payload))
            if stored.other is not None and id in stored.other.payloads:
                stored.other.payloads[id] |= copy.deepcopy(dict(payload))

    def count(self, name: str, filter: Filter | None = None) -> int:
        with self._lock:
            return len(self._matching(name, filter))

    def scroll(
        self,
        name: str,
        *,
        filter: Filter | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> tuple[list[Record], str | None]:
        with self._lock:
            ids = [id for id in self._matching(name, filter) if cursor is None or id > cursor]
            page = ids[:limit]
            return self.retrieve(name, page), page[-1] if len(ids) > limit else None

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
        exact: bool = False,  # noqa: ARG002 (it always is)
        ef: int | None = None,  # noqa: ARG002
    ) -> list[Hit]:
        with self._lock:
            stored = self._points(name)
            query = self._checked(stored, vector)
            scored = [
                (float(stored.vectors[id] @ query), id) for id in self._matching(name, filter)
            ]
            if score_threshold is not None:
                scored = [pair for pair in scored if pair[0] >= score_threshold]
            scored.sort(key=lambda pair: (-pair[0], pair[1]))
            return [
                Hit(
                    id,
                    score,
                    _payload(stored, id),
                    stored.vectors[id].copy() if vectors else None,
                )
                for score, id in scored[offset : offset + limit]
            ]

    def query_batch(self, name: str, queries: Sequence[Query]) -> list[list[Hit]]:
        return [
            self.query(
                name,
                query.vector,
                limit=query.limit,
                offset=query.offset,
                filter=query.filter,
                score_threshold=query.score_threshold,
                vectors=query.vectors,
            )
            for query in queries
        ]

    def facets(
        self, name: str, field: str, *, filter: Filter | None = None, limit: int = 100
    ) -> list[tuple[str | int | bool, int]]:
        with self._lock:
            payloads = self._points(name).payloads
            values = [_value(payloads[id], field) for id in self._matching(name, filter)]
            counts = Counter(value for value in values if isinstance(value, str | int))
            return sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:limit]

    def stats(self, name: str) -> Stats:
        return Stats(self.count(name), 0, building=False)

    def loading(self, name: str) -> AbstractContextManager[None]:
        self._points(name)
        return nullcontext()

    def vectors(
        self,
        name: str,
        *,
        filter: Filter | None = None,
        batch: int = 1000,
    ) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
        with self._lock:
            stored = self._points(name)
            ids = self._matching(name, filter)
            rows = [stored.vectors[id] for id in ids]
        for start in range(0, len(ids), batch):
            yield ids[start : start + batch], np.stack(rows[start : start + batch])

    def write_labels(
        self,
        name: str,
        clustering: str,
        ids: Sequence[str],
        labels: NDArray[np.int64],
        *,
        replace: bool = False,
    ) -> None:
        with self._lock:
            if replace:
                self.drop_labels(name, clustering)
            for payloads in self._of_both(name):
                for id, label in zip(ids, labels, strict=True):
                    if id in payloads:
                        payloads[id].setdefault("clusters", {})[clustering] = int(label)

    def drop_labels(self, name: str, clustering: str) -> None:
        with self._lock:
            for payloads in self._of_both(name):
                for payload in payloads.values():
                    payload.get("clusters", {}).pop(clustering, None)

    # -- documents

    def put_document(self, kind: str, key: str, body: Mapping[str, Any]) -> None:
        with self._lock:
            self._documents[kind, key] = copy.deepcopy(dict(body))

    def add_document(self, kind: str, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
        with self._lock:
            return copy.deepcopy(self._documents.setdefault((kind, key), copy.deepcopy(dict(body))))

    def document(self, kind: str, key: str) -> dict[str, Any] | None:
        with self._lock:
            return copy.deepcopy(self._documents.get((kind, key)))

    def documents(self, kind: str) -> list[tuple[str, dict[str, Any]]]:
        with self._lock:
            keys = sorted(key for of_kind, key in self._documents if of_kind == kind)
            return [(key, copy.deepcopy(self._documents[kind, key])) for key in keys]

    def delete_document(self, kind: str, key: str) -> None:
        with self._lock:
            self._documents.pop((kind, key), None)
            self._arrays.pop((kind, key), None)

    def put_arrays(self, kind: str, key: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        with self._lock:
            self._arrays[kind, key] = {name: array.copy() for name, array in arrays.items()}

    def arrays(self, kind: str, key: str) -> dict[str, NDArray[Any]] | None:
        with self._lock:
            return copy.deepcopy(self._arrays.get((kind, key)))

    # -- inside

    def _points(self, name: str) -> _Points:
        with self._lock:
            base, _, space_id = name.partition("@")
            if base not in self._collections:
                raise UnknownCollection(f"no collection {name!r}")
            stored = self._collections[base]
            if space_id in ("", stored.collection.space.id):
                return stored
            return self._other(base, space_id)

    def _written(self, name: str) -> _Points:
        self.collection(name)  # not a pinned name
        return self._points(name)

    def _other(self, name: str, space_id: str) -> _Points:
        other = self._points(name).other
        if other is None or other.collection.space.id != space_id:
            raise SpaceMismatch(f"{space_id} is not the other space of {name!r}")
        return other

    def _of_both(self, name: str) -> list[dict[str, dict[str, Any]]]:
        stored = self._points(name)
        return [points.payloads for points in (stored, stored.other) if points is not None]

    def _matching(self, name: str, condition: Filter | None) -> list[str]:
        stored = self._points(name)
        return [id for id in sorted(stored.vectors) if _matches(condition, id, stored.payloads[id])]

    @staticmethod
    def _checked(stored: _Points, vector: Vector) -> Vector:
        dim = stored.collection.space.dim
        if vector.shape != (dim,):
            raise WrongDimension(f"the vector has shape {vector.shape}, the space {dim} dimensions")
        norm = float(np.linalg.norm(vector))
        if not np.isfinite(norm) or norm == 0:
            raise InvalidVector("the vector holds NaN, infinity or only zeros")
        return (vector / norm).astype(np.float32)


def _payload(stored: _Points, id: str, *, thumbnails: bool = False) -> dict[str, Any]:
    payload = copy.deepcopy(stored.payloads[id])
    if payload.get("clusters"):
        payload |= read_labels(payload["clusters"])
    if not thumbnails:
        payload.pop("thumbnail", None)
    return payload


def _matches(condition: Filter | None, id: str, payload: Mapping[str, Any]) -> bool:
    if condition is None:
        return True
    if unknown := set(condition) - {"must", "must_not"}:
        raise InvalidFilter(f"the fake store knows must and must_not, not {sorted(unknown)}")
    return all(_holds(part, id, payload) for part in condition.get("must", [])) and not any(
        _holds(part, id, payload) for part in condition.get("must_not", [])
    )


def _holds(condition: Mapping[str, Any], id: str, payload: Mapping[str, Any]) -> bool:
    if {"must", "must_not"} & set(condition):
        return _matches(condition, id, payload)
    match condition:
        case {"has_id": list(keys)}:
            return id in {point_id(key) for key in keys}
        case {"is_empty": {"key": str(key)}}:
            return _value(payload, key) in (None, [])
        case {"key": str(key), "match": {"value": value}}:
            return _is_any(_value(payload, key), [value])
        case {"key": str(key), "match": {"any": list(values)}}:
            return _is_any(_value(payload, key), values)
    raise InvalidFilter(f"the fake store does not know the condition {condition}")


def _is_any(held: object, values: Sequence[object]) -> bool:
    """Whether the value, or an element of a list, is one of these, in value and type."""
    of_both = {(type(value), value) for value in values}
    return any((type(one), one) in of_both for one in (held if isinstance(held, list) else [held]))


def _value(payload: Mapping[str, Any], key: str) -> object:
    value: object = payload
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
