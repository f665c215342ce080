"""The store protocol on any engine: what both kinds of store share, which is nearly everything."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from lookalike_service.errors import InvalidField, SpaceMismatch, UnknownImage
from lookalike_service.spaces import Space
from lookalike_service.store.catalogue import Catalogue, index_path
from lookalike_service.store.documents import Documents
from lookalike_service.store.engine import Engine, Nearest
from lookalike_service.store.fields import no_such_field, unknown
from lookalike_service.store.filters import (
    EVERYTHING,
    IsEmpty,
    Where,
    clustering_of,
    has_ids,
    parse_filter,
)
from lookalike_service.store.label_search import with_labels, without_labels
from lookalike_service.store.labels import Labels, LabelView, read_labels
from lookalike_service.store.left_out import without_left_out
from lookalike_service.store.other_space import fill, lacking, named, required, write_other
from lookalike_service.store.point_checks import (
    check_page,
    check_payload,
    check_payloads,
    read_cursor,
    unit_vector,
    unit_vectors,
    without_labels_in,
)
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
        self._catalogue = Catalogue(engine, documents)
        # Labels are written to points that exist, so no point may go in between.
        self._existence = threading.Lock()

    def check(self) -> None:
        """See `Store`."""
        self._engine.ping()

    def close(self) -> None:
        """See `Store`."""
        self._engine.close()
        self._labels.close()

    # -- collections

    def create_collection(self, collection: Collection) -> bool:
        """See `Store`. Raises InvalidField for a name or an index that cannot be."""
        return self._catalogue.create(collection)

    def collection(self, name: str) -> Collection:
        """See `Store`."""
        return self._catalogue.get(name)

    def collections(self) -> list[Collection]:
        """See `Store`."""
        return self._catalogue.all()

    def delete_collection(self, name: str) -> None:
        """See `Store`."""
        self.collection(name)
        self._labels.drop_collection(name)
        self._catalogue.remove(name)

    def create_index(self, name: str, field: str, type: FieldType) -> None:
        """See `Store`. Raises InvalidField for a field that cannot be filtered by."""
        self._catalogue.create_index(name, field, type)

    def add_space(self, name: str, space: Space) -> None:
        """See `Store`."""
        self._catalogue.add_space(name, space)

    def switch_space(self, name: str, space_id: str) -> Collection:
        """See `Store`."""
        return self._catalogue.switch(name, space_id)

    def drop_space(self, name: str, space_id: str) -> None:
        """See `Store`."""
        self._catalogue.drop_space(name, space_id)

    def stats(self, name: str) -> Stats:
        """See `Store`."""
        return self._engine.stats(self._catalogue.at(name).stored_as)

    @contextmanager
    def loading(self, name: str) -> Iterator[None]:
        """See `Store`."""
        stored_as = self._catalogue.at(name).stored_as
        self._engine.hold_index(stored_as, True)
        try:
            yield
        finally:
            self._engine.hold_index(stored_as, False)

    # -- points

    def upsert(
        self, name: str, points: Sequence[Point], *, made_for: Collection | None = None
    ) -> None:
        """See `Store`. Nothing is written if any point is refused."""
        with self._catalogue.writing(name) as (collection, other):
            if made_for is not None and made_for.spaces != collection.spaces:
                raise SpaceMismatch(
                    f"the vectors were made when collection {name!r} had other spaces: "
                    f"{named(made_for)}, not {named(collection)}; make them again"
                )
            payloads = [without_labels_in(point.payload) for point in points]
            check_payloads(points, payloads)
            vectors = unit_vectors([(point.id, point.vector) for point in points], collection.space)
            self._catalogue.learn(collection, payloads)
            if other is not None:  # first, so that it lacks nothing that was acknowledged
                write_other(self._engine, other, points, payloads)
            for at in range(0, len(points), _UPSERT_BATCH):
                ids = [point.id for point in points[at : at + _UPSERT_BATCH]]
                self._labels.forget(name, ids)  # they were given to what is replaced
                self._engine.upsert(
                    *(collection.stored_as, ids, payloads[at : at + _UPSERT_BATCH]),
                    *(collection.space.id, vectors[at : at + _UPSERT_BATCH]),
                )

    def retrieve(
        self, name: str, ids: Sequence[str], *, vectors: bool = False, thumbnails: bool = False
    ) -> list[Record]:
        """See `Store`."""
        at = self._catalogue.at(name)
        found = self._engine.retrieve(
            *(at.stored_as, ids),
            vector=at.space.id if vectors else None,
            without=() if thumbnails else _THUMBNAIL,
        )
        by_id = {record.id: record for record in found}
        return self._with_labels(at.name, [by_id[id] for id in ids if id in by_id])

    def delete(self, name: str, ids: Sequence[str]) -> int:
        """See `Store`."""
        return self._delete(name, has_ids(ids))

    def delete_matching(self, name: str, filter: Filter) -> int:
        """See `Store`."""
        return self._delete(name, self._where(self._catalogue.at(name), filter))

    def _delete(self, name: str, where: Where) -> int:
        """Labels first: a crash in between leaves points without labels, not labels without."""
        deleted = 0
        with self._catalogue.writing(name) as (collection, other), self._existence:
            while ids := self._engine.ids(
                collection.stored_as,
                self._labels.view(name).where(where),
                limit=_DELETE_BATCH,
                start=None,
            )[0]:
                self._labels.forget(name, ids)
                if other is not None:
                    self._engine.delete(other.stored_as, has_ids(ids))
                self._engine.delete(collection.stored_as, has_ids(ids))
                deleted += len(ids)
        return deleted

    def set_payload(self, name: str, id: str, payload: Mapping[str, Any]) -> None:
        """See `Store`. A key whose value is None is removed."""
        check_payload(id, payload)
        payload = without_labels_in(payload)
        with self._catalogue.writing(name) as (collection, other):
            if not self._engine.count(collection.stored_as, has_ids([id])):
                raise UnknownImage(f"there is no image with point id {id} in collection {name!r}")
            self._catalogue.learn(collection, [payload])
            if other is not None:
                self._engine.set_payload(other.stored_as, has_ids([id]), payload)
            self._engine.set_payload(collection.stored_as, has_ids([id]), payload)

    # -- the other space

    def lacking(self, name: str, space_id: str, ids: Sequence[str]) -> list[str]:
        """See `Store`."""
        with self._catalogue.writing(name) as (collection, other):
            return lacking(self._engine, collection, required(collection, other, space_id), ids)

    def fill(self, name: str, space_id: str, points: Sequence[Point]) -> int:
        """See `Store`."""
        with self._catalogue.writing(name) as (collection, other):
            return fill(self._engine, collection, required(collection, other, space_id), points)

    # -- reading

    def count(self, name: str, filter: Filter | None = None) -> int:
        """See `Store`."""
        at = self._catalogue.at(name)
        where = self._labels.view(at.name).where(self._where(at, filter))
        return self._engine.count(at.stored_as, where)

    def _where(self, at: Collection, filter: Filter | None) -> Where:
        """The filter as a tree. Raises InvalidFilter, also for a field that no image has.

        A slip of the pen would pass for no hits, or in `must_not` for all of them.
        """
        where = parse_filter(filter)
        for path in unknown(at, where):
            having = Where(must_not=(IsEmpty(path),))
            if self._engine.count(at.stored_as, EVERYTHING) and not self._engine.count(
                at.stored_as, having
            ):
                raise no_such_field(at, path)
        return where

    def scroll(
        self,
        name: str,
        *,
        filter: Filter | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> tuple[list[Record], str | None]:
        """See `Store`. Raises InvalidField for a cursor that is none of ours."""
        check_page(limit)
        at = self._catalogue.at(name)
        where, start = self._where(at, filter), None if cursor is None else read_cursor(cursor)
        while True:
            view = self._labels.view(at.name)
            page, following = self._engine.scroll(
                at.stored_as, view.where(where), limit=limit, start=start, without=_THUMBNAIL
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
        at = self._catalogue.at(name)
        asked = [_nearest(query, at.space, self._where(at, query.filter)) for query in queries]
        while True:
            view = self._labels.view(at.name)
            found = self._found(at, view, asked)
            if found is None:
                continue
            pages = [_page(query, hits) for query, hits in zip(queries, found, strict=True)]
            labels = view.of([hit.id for page in pages for hit in page])
            if labels is not None:
                return [[_labelled(hit, labels) for hit in page] for page in pages]

    def _found(
        self, at: Collection, view: LabelView, asked: Sequence[Nearest]
    ) -> list[list[Hit]] | None:
        """The hits of each query; None if the labels changed meanwhile."""
        answers: list[list[Hit] | None] = [None] * len(asked)
        wider = {i: wide for i, one in enumerate(asked) if (wide := without_labels(one, view))}
        found = zip(wider.items(), self._nearest(at, [*wider.values()]), strict=True)
        for (i, wide), hits in found:
            labels = view.of([hit.id for hit in hits])
            if labels is None:
                return None
            answers[i] = with_labels(asked[i], wide, hits, labels)
        left = [i for i, answer in enumerate(answers) if answer is None]
        by_ids = [replace(asked[i], where=view.where(asked[i].where)) for i in left]
        for i, hits in zip(left, self._nearest(at, by_ids), strict=True):
            answers[i] = hits
        return [answer for answer in answers if answer is not None]

    def _nearest(self, at: Collection, asked: Sequence[Nearest]) -> list[list[Hit]]:
        """Each query's hits and all those tied with the last: engines break ties as they like."""
        answers: list[list[Hit]] = [[] for _ in asked]
        searches = [without_left_out(one) for one in asked]
        pending = {i: one.limit + len(ids) + 1 for i, (one, ids) in enumerate(searches)}
        while pending:
            some = list(pending.items())[:_QUERY_BATCH]
            found = self._engine.nearest(
                at.stored_as,
                [replace(searches[i][0], limit=wanted) for i, wanted in some],
                vector=at.space.id,
                without=_THUMBNAIL,
            )
            for (i, wanted), raw in zip(some, found, strict=True):
                left_out = searches[i][1]
                found_here = [hit for hit in raw if hit.id not in left_out]
                hits = [replace(hit, score=_cosine(hit.score)) for hit in found_here]
                answers[i] = hits
                if len(raw) < wanted or hits[-1].score < hits[asked[i].limit - 1].score:
                    del pending[i]
                else:
                    pending[i] = 2 * wanted
        return answers

    def facets(
        self, name: str, field: str, *, filter: Filter | None = None, limit: int = 100
    ) -> list[tuple[str | int | bool, int]]:
        """See `Store`."""
        check_page(limit)
        at = self._catalogue.at(name)
        where = self._where(at, filter)
        clustering = clustering_of(index_path(field))
        view = self._labels.view(at.name)
        counts: Iterable[tuple[str | int | bool, int]]
        if clustering is None:
            if (type := at.indexes.get(field)) in {None, "float"}:
                raise InvalidField(
                    f"the values of {field!r} cannot be counted: it has "
                    f"{'no index' if type is None else 'a float index'}; "
                    "allowed: fields with a keyword, integer or bool index, clusters.<clustering>"
                )
            counts = self._engine.facets(at.stored_as, view.where(where), index_path(field))
        elif where == EVERYTHING:
            counts = view.counts(clustering).items()
        else:
            counts = self._label_counts(at, clustering, view.where(where)).items()
        return sorted(counts, key=lambda pair: (-pair[1], pair[0]))[:limit]

    def _label_counts(self, at: Collection, clustering: str, where: Where) -> Counter[int]:
        counts: Counter[int] = Counter()
        for ids in self._pages(at.stored_as, where):
            labels = self._labels.view(at.name).of(ids) or {}
            counts.update(of[clustering] for of in labels.values() if clustering in of)
        return counts

    def _pages(self, stored_as: str, where: Where) -> Iterator[list[str]]:
        start: str | None = None
        while True:
            ids, start = self._engine.ids(stored_as, where, limit=_ID_PAGE, start=start)
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
        at = self._catalogue.at(name)
        return self._batches(at, self._where(at, filter), batch)

    def _batches(
        self, at: Collection, where: Where, limit: int
    ) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
        start: str | None = None
        while True:
            ids, rows, start = self._engine.vectors(
                *(at.stored_as, self._labels.view(at.name).where(where)),
                vector=at.space.id,
                dim=at.space.dim,
                limit=limit,
                start=start,
            )
            if ids:
                yield ids, rows
            if start is None:
                return

    def export(self, name: str, *, batch: int = 256) -> Iterator[tuple[list[Point], LabelsOf]]:
        """Stream whole points in id order with {id: {clustering: label}}, thumbnails and all."""
        at, start = self._catalogue.at(name), None
        while True:
            ids, payloads, rows, start = self._engine.points(
                *(at.stored_as, EVERYTHING),
                vector=at.space.id,
                dim=at.space.dim,
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
        self,
        name: str,
        clustering: str,
        ids: Sequence[str],
        labels: NDArray[np.int64],
        *,
        replace: bool = False,
    ) -> None:
        """See `Store`. Raises ValueError unless there is one label per id."""
        if labels.shape != (len(ids),):
            raise ValueError(f"{len(ids)} ids need labels of that length, not {labels.shape}")
        stored_as = self.collection(name).stored_as or name
        with self._existence:
            there = self._existing(stored_as, ids)
            if not there.all():
                ids, labels = [ids[i] for i in np.flatnonzero(there).tolist()], labels[there]
            self._labels.write(name, clustering, ids, labels, replace=replace)

    def _existing(self, stored_as: str, ids: Sequence[str]) -> NDArray[np.bool_]:
        """Which ids there are points of; counted by the few, so that searches get in between."""
        there = np.ones(len(ids), np.bool_)
        for at in range(0, len(ids), _COUNT_BATCH):
            some = ids[at : at + _COUNT_BATCH]
            if self._engine.count(stored_as, has_ids(some)) < len(set(some)):
                found, _ = self._engine.ids(stored_as, has_ids(some), limit=len(some), start=None)
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

    def add_document(self, kind: str, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """See `Store`."""
        return self._documents.add(kind, key, body)

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


def _nearest(query: Query, space: Space, where: Where) -> Nearest:
    """What the engine is asked for. Raises for what no engine could answer."""
    check_page(query.limit, query.offset)
    if query.ef is not None and not 1 <= query.ef <= _LARGEST_EF:
        raise InvalidField(f"ef must be between 1 and {_LARGEST_EF}, not {query.ef}")
    return Nearest(
        unit_vector(query.vector, space, "the query"),
        where,
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
    return item if not of_item else replace(item, payload=item.payload | read_labels(of_item))


def _cosine(score: float) -> float:
    """Within [-1, 1], to the six decimals that float32 arithmetic can vouch for.

    The same vector stored twice may score differently in the last bit.
    """
    return round(min(1.0, max(-1.0, score)), 6)
