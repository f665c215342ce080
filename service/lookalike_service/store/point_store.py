"""The store protocol on any engine: what both kinds of store share, which is nearly everything.

Here is which collection a call is about and what it must not coincide with. How points are read is in
`reading`, how the nearest are found in `search`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lookalike_service.errors import SpaceMismatch, UnknownImage
from lookalike_service.spaces import Space
from lookalike_service.store.catalogue import Catalogue
from lookalike_service.store.documents import Documents
from lookalike_service.store.engine import Engine
from lookalike_service.store.fields import checked_filter
from lookalike_service.store.filters import Where, has_ids
from lookalike_service.store.labels import Labels, LabelsOf
from lookalike_service.store.other_space import fill, lacking, named, required, write_other
from lookalike_service.store.point_checks import (
    check_page,
    check_payload,
    check_payloads,
    read_cursor,
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
from lookalike_service.store.reading import (
    existing,
    page,
    point_batches,
    records,
    value_counts,
    vector_batches,
)
from lookalike_service.store.search import search

_UPSERT_BATCH = 256
_DELETE_BATCH = 1000


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

    # -- writing points

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

    def delete(self, name: str, ids: Sequence[str]) -> int:
        """See `Store`."""
        return self._delete(name, has_ids(ids))

    def delete_matching(self, name: str, filter: Filter) -> int:
        """See `Store`."""
        return self._delete(name, checked_filter(self._engine, self._catalogue.at(name), filter))

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

    # -- reading points

    def retrieve(
        self, name: str, ids: Sequence[str], *, vectors: bool = False, thumbnails: bool = False
    ) -> list[Record]:
        """See `Store`."""
        at = self._catalogue.at(name)
        return records(self._engine, self._labels, at, ids, vectors=vectors, thumbnails=thumbnails)

    def count(self, name: str, filter: Filter | None = None) -> int:
        """See `Store`."""
        at = self._catalogue.at(name)
        where = self._labels.view(at.name).where(checked_filter(self._engine, at, filter))
        return self._engine.count(at.stored_as, where)

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
        where = checked_filter(self._engine, at, filter)
        start = None if cursor is None else read_cursor(cursor)
        return page(self._engine, self._labels, at, where, limit=limit, start=start)

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
        return search(self._engine, self._labels, self._catalogue.at(name), queries)

    def facets(
        self, name: str, field: str, *, filter: Filter | None = None, limit: int = 100
    ) -> list[tuple[str | int | bool, int]]:
        """See `Store`."""
        check_page(limit)
        at = self._catalogue.at(name)
        where = checked_filter(self._engine, at, filter)
        counts = value_counts(self._engine, self._labels, at, where, field)
        return sorted(counts, key=lambda pair: (-pair[1], pair[0]))[:limit]

    def vectors(
        self, name: str, *, filter: Filter | None = None, batch: int = 256
    ) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
        """See `Store`."""
        at = self._catalogue.at(name)
        where = checked_filter(self._engine, at, filter)
        return vector_batches(self._engine, self._labels, at, where, limit=batch)

    def export(self, name: str, *, batch: int = 256) -> Iterator[tuple[list[Point], LabelsOf]]:
        """Stream whole points in id order with {id: {clustering: label}}, thumbnails and all."""
        at = self._catalogue.at(name)
        yield from point_batches(self._engine, self._labels, at, limit=batch)

    # -- labels

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
            there = existing(self._engine, stored_as, ids)
            if not there.all():
                ids, labels = [ids[i] for i in np.flatnonzero(there).tolist()], labels[there]
            self._labels.write(name, clustering, ids, labels, replace=replace)

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
