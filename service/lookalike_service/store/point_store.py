"""The store protocol on any engine: what both kinds of store share, which is nearly everything."""

from __future__ import annotations

import difflib
import json
import threading
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any, Literal, TypeVar

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
from lookalike_service.store.engine import Engine, Nearest
from lookalike_service.store.filters import (
    EVERYTHING,
    Where,
    clustering_of,
    field_path,
    has_ids,
    parse_filter,
)
from lookalike_service.store.labels import Labels
from lookalike_service.store.protocol import (
    Collection,
    FieldType,
    Filter,
    Hit,
    Point,
    Query,
    Record,
    Stats,
    Vector,
)

_THUMBNAIL = ("thumbnail",)
_UPSERT_BATCH = 256
_COUNT_BATCH = 250
_DELETE_BATCH = 1000
_ID_PAGE = 2000
_QUERY_BATCH = 16  # searches of others get in between
_LARGEST_EF = 10_000
_SMALL, _LARGE = 1e-100, 1e100  # norms whose squares are safely within float64
_NAME = TypeAdapter(Name)
T = TypeVar("T", Hit, Record)
LabelsOf = Mapping[str, dict[str, int]]


class PointStore:
    """Implements `Store` on an engine. Thread-safe as the engine is."""

    def __init__(
        self,
        engine: Engine,
        documents: Documents,
        labels: Labels,
        kind: Literal["embedded", "qdrant"],
    ) -> None:
        self.kind: str = kind
        self._engine = engine
        self._documents = documents
        self._labels = labels
        # Labels are written to points that exist, so no point may go in between.
        self._existence = threading.Lock()

    def check(self) -> None:
        """See `Store`."""
        self._engine.ping()

    def close(self) -> None:
        """See `Store`."""
        self._engine.close()
        self._labels.close()

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
        for path, type in paths.items():  # before any point: later would cost a pass over all
            self._index(name, path, type)
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
        self._labels.drop_collection(name)
        self._engine.drop(name)
        self._documents.delete("collection", name)

    def create_index(self, name: str, field: str, type: FieldType) -> None:
        """See `Store`. Raises InvalidField for a field that cannot be filtered by."""
        collection = self.collection(name)
        self._index(name, _index_path(field), type)
        self._put(replace(collection, indexes={**collection.indexes, field: type}))

    def _index(self, name: str, path: str, type: FieldType) -> None:
        if clustering_of(path) is None:  # labels are found without
            self._engine.create_index(name, path, type)

    def stats(self, name: str) -> Stats:
        """See `Store`."""
        self.collection(name)
        return self._engine.stats(name)

    @contextmanager
    def loading(self, name: str) -> Iterator[None]:
        """See `Store`."""
        self.collection(name)
        self._engine.hold_index(name, True)
        try:
            yield
        finally:
            self._engine.hold_index(name, False)

    def _put(self, collection: Collection) -> None:
        self._documents.put("collection", collection.name, asdict(collection))

    # -- points

    def upsert(self, name: str, points: Sequence[Point]) -> None:
        """See `Store`. Nothing is written if any point is refused."""
        space = self.collection(name).space
        payloads = [_without_labels(point.payload) for point in points]
        _check_payloads(points, payloads)
        vectors, vector = _units(points, space), space.id
        for at in range(0, len(points), _UPSERT_BATCH):
            ids = [point.id for point in points[at : at + _UPSERT_BATCH]]
            self._labels.forget(name, ids)  # they were given to what is replaced
            self._engine.upsert(
                *(name, ids, payloads[at : at + _UPSERT_BATCH]),
                *(vector, vectors[at : at + _UPSERT_BATCH]),
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
        return self._with_labels(name, [by_id[id] for id in ids if id in by_id])

    def delete(self, name: str, ids: Sequence[str]) -> int:
        """See `Store`."""
        return self._delete(name, has_ids(ids))

    def delete_matching(self, name: str, filter: Filter) -> int:
        """See `Store`."""
        return self._delete(name, parse_filter(filter))

    def _delete(self, name: str, where: Where) -> int:
        """Labels first: a crash in between leaves points without labels, not labels without."""
        self.collection(name)
        deleted = 0
        with self._existence:
            while ids := self._engine.ids(
                name, self._labels.view(name).where(where), limit=_DELETE_BATCH, start=None
            )[0]:
                self._labels.forget(name, ids)
                self._engine.delete(name, has_ids(ids))
                deleted += len(ids)
        return deleted

    def set_payload(self, name: str, id: str, payload: Mapping[str, Any]) -> None:
        """See `Store`. A key whose value is None is removed."""
        _check_payload(id, payload)
        self.collection(name)
        payload = _without_labels(payload)
        if not self._engine.count(name, has_ids([id])):
            raise UnknownImage(f"there is no image with point id {id} in collection {name!r}")
        self._engine.set_payload(name, has_ids([id]), payload)

    def count(self, name: str, filter: Filter | None = None) -> int:
        """See `Store`."""
        self.collection(name)
        return self._engine.count(name, self._labels.view(name).where(parse_filter(filter)))

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
        where, start = parse_filter(filter), None if cursor is None else _cursor(cursor)
        while True:
            view = self._labels.view(name)
            page, following = self._engine.scroll(
                name, view.where(where), limit=limit, start=start, without=_THUMBNAIL
            )
            labels = view.of([record.id for record in page])
            if labels is not None:
                return [_labelled(record, labels) for record in page], following

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
        exact: bool = False,
        ef: int | None = None,
    ) -> list[Hit]:
        """See `Store`. Scores have six decimals."""
        query = Query(vector, limit, offset, filter, score_threshold, vectors, exact, ef)
        return self.query_batch(name, [query])[0]

    def query_batch(self, name: str, queries: Sequence[Query]) -> list[list[Hit]]:
        """See `Store`."""
        space = self.collection(name).space
        asked = [_nearest(query, space) for query in queries]
        while True:
            view = self._labels.view(name)
            found = self._nearest(
                name, space, [replace(one, where=view.where(one.where)) for one in asked]
            )
            pages = [_page(query, hits) for query, hits in zip(queries, found, strict=True)]
            labels = view.of([hit.id for page in pages for hit in page])
            if labels is not None:
                return [[_labelled(hit, labels) for hit in page] for page in pages]

    def _nearest(self, name: str, space: Space, asked: Sequence[Nearest]) -> list[list[Hit]]:
        """Each query's hits and all those tied with the last: engines break ties as they like."""
        answers: list[list[Hit]] = [[] for _ in asked]
        pending = {i: one.limit + 1 for i, one in enumerate(asked)}
        while pending:
            some = list(pending.items())[:_QUERY_BATCH]
            found = self._engine.nearest(
                name,
                [replace(asked[i], limit=wanted) for i, wanted in some],
                vector=space.id,
                without=_THUMBNAIL,
            )
            for (i, wanted), raw in zip(some, found, strict=True):
                hits = [replace(hit, score=_cosine(hit.score)) for hit in raw]
                answers[i] = hits
                if len(hits) < wanted or hits[-1].score < hits[asked[i].limit - 1].score:
                    del pending[i]
                else:
                    pending[i] = 2 * wanted
        return answers

    def facets(
        self, name: str, field: str, *, filter: Filter | None = None, limit: int = 100
    ) -> list[tuple[str | int | bool, int]]:
        """See `Store`."""
        _check_page(limit)
        collection, where = self.collection(name), parse_filter(filter)
        clustering = clustering_of(_index_path(field))
        view = self._labels.view(name)
        counts: Iterable[tuple[str | int | bool, int]]
        if clustering is None:
            if (type := collection.indexes.get(field)) in {None, "float"}:
                raise InvalidField(
                    f"the values of {field!r} cannot be counted: it has "
                    f"{'no index' if type is None else 'a float index'}; "
                    "allowed: fields with a keyword, integer or bool index, clusters.<clustering>"
                )
            counts = self._engine.facets(name, view.where(where), _index_path(field))
        elif where == EVERYTHING:
            counts = view.counts(clustering).items()
        else:
            counts = self._label_counts(name, clustering, view.where(where)).items()
        return sorted(counts, key=lambda pair: (-pair[1], pair[0]))[:limit]

    def _label_counts(self, name: str, clustering: str, where: Where) -> Counter[int]:
        counts: Counter[int] = Counter()
        for ids in self._pages(name, where):
            labels = self._labels.view(name).of(ids) or {}
            counts.update(of[clustering] for of in labels.values() if clustering in of)
        return counts

    def _pages(self, name: str, where: Where) -> Iterator[list[str]]:
        start: str | None = None
        while True:
            ids, start = self._engine.ids(name, where, limit=_ID_PAGE, start=start)
            yield ids
            if start is None:
                return

    def _with_labels(self, name: str, records: Sequence[Record]) -> list[Record]:
        labels = self._labels.view(name).of([record.id for record in records]) or {}
        return [_labelled(record, labels) for record in records]

    def vectors(
        self, name: str, *, filter: Filter | None = None, batch: int = 256
    ) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
        """See `Store`."""
        space, where = self.collection(name).space, parse_filter(filter)
        return self._batches(name, space, where, batch)

    def _batches(
        self, name: str, space: Space, where: Where, limit: int
    ) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
        start: str | None = None
        while True:
            seen = self._labels.view(name).where(where)
            ids, rows, start = self._engine.vectors(
                name, seen, vector=space.id, dim=space.dim, limit=limit, start=start
            )
            if ids:
                yield ids, rows
            if start is None:
                return

    def export(self, name: str, *, batch: int = 256) -> Iterator[tuple[list[Point], LabelsOf]]:
        """Stream whole points in id order with {id: {clustering: label}}, thumbnails and all."""
        space, start = self.collection(name).space, None
        while True:
            ids, payloads, rows, start = self._engine.points(
                *(name, EVERYTHING),
                vector=space.id,
                dim=space.dim,
                limit=batch,
                start=start,
            )
            points = [
                Point(id, row, payload)
                for id, row, payload in zip(ids, rows, payloads, strict=True)
            ]
            yield points, self._labels.view(name).of(ids) or {}
            if start is None:
                return

    def write_labels(
        self, name: str, clustering: str, ids: Sequence[str], labels: NDArray[np.int64]
    ) -> None:
        """See `Store`. Raises ValueError unless there is one label per id."""
        if labels.shape != (len(ids),):
            raise ValueError(f"{len(ids)} ids need labels of that length, not {labels.shape}")
        self.collection(name)
        with self._existence:
            there = self._existing(name, ids)
            if not there.all():
                ids, labels = [ids[i] for i in np.flatnonzero(there).tolist()], labels[there]
            self._labels.write(name, clustering, ids, labels)

    def _existing(self, name: str, ids: Sequence[str]) -> NDArray[np.bool_]:
        """Which ids there are points of; counted by the few, so that searches get in between."""
        there = np.ones(len(ids), np.bool_)
        for at in range(0, len(ids), _COUNT_BATCH):
            some = ids[at : at + _COUNT_BATCH]
            if self._engine.count(name, has_ids(some)) < len(set(some)):
                found, _ = self._engine.ids(name, has_ids(some), limit=len(some), start=None)
                there[at : at + len(some)] = np.isin(some, found)
        return there

    def drop_labels(self, name: str, clustering: str) -> None:
        """See `Store`."""
        self.collection(name)
        self._labels.drop(name, clustering)

    # -- documents

    def every_document(self) -> list[tuple[str, str, dict[str, Any]]]:
        """All (kind, key, body), by kind and key."""
        return self._documents.every()

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


def _nearest(query: Query, space: Space) -> Nearest:
    """What the engine is asked for. Raises for what no engine could answer."""
    _check_page(query.limit, query.offset)
    if query.ef is not None and not 1 <= query.ef <= _LARGEST_EF:
        raise InvalidField(f"ef must be between 1 and {_LARGEST_EF}, not {query.ef}")
    return Nearest(
        _unit(query.vector, space, "the query"),
        parse_filter(query.filter),
        query.offset + query.limit,
        vectors=query.vectors,
        exact=query.exact,
        ef=query.ef,
    )


def _page(query: Query, hits: Sequence[Hit]) -> list[Hit]:
    """The hits asked for, in order, of those found."""
    if query.score_threshold is not None:
        hits = [hit for hit in hits if hit.score >= query.score_threshold]
    end = query.offset + query.limit
    return sorted(hits, key=lambda hit: (-hit.score, hit.id))[query.offset : end]


def _labelled(item: T, labels: LabelsOf) -> T:
    """A hit or record with its labels in the payload."""
    of_item = labels.get(item.id)
    return item if not of_item else replace(item, payload={**item.payload, "clusters": of_item})


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


def _without_labels(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    """`clusters` is what reading adds; labels are kept elsewhere."""
    return (
        {k: v for k, v in payload.items() if k != "clusters"} if "clusters" in payload else payload
    )


def _check_payloads(points: Sequence[Point], payloads: Sequence[Mapping[str, Any]]) -> None:
    """All at once, which is faster; one by one to name the bad one."""
    try:
        json.dumps(payloads, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, TypeError):
        for point, payload in zip(points, payloads, strict=True):
            _check_payload(point.id, payload)


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


def _units(points: Sequence[Point], space: Space) -> NDArray[np.float32]:
    """The vectors as float32 (n, dim) of unit L2 norm. Raises for the first that cannot be."""
    shapes = {np.shape(point.vector) for point in points}
    if shapes == {(space.dim,)}:
        wide = np.stack([point.vector for point in points]).astype(np.float64)
        norms = np.linalg.norm(wide, axis=1)
        if ((norms > _SMALL) & (norms < _LARGE)).all():
            return np.asarray(wide / norms[:, None], np.float32)
    rows = [_unit(point.vector, space, f"point {point.id}") for point in points]
    return np.stack(rows) if rows else np.empty((0, space.dim), np.float32)


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
