"""Reading points with their labels: by id, by page, in passes over all that match, and counted by value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from lookalike_service.errors import InvalidField
from lookalike_service.store.catalogue import index_path
from lookalike_service.store.engine import Engine
from lookalike_service.store.filters import EVERYTHING, Where, clustering_of, has_ids
from lookalike_service.store.labels import Labels, LabelsOf, labelled
from lookalike_service.store.protocol import THUMBNAIL, Collection, Point, Record

_ID_PAGE = 2000
_COUNT_BATCH = 250


def records(
    engine: Engine,
    labels: Labels,
    at: Collection,
    ids: Sequence[str],
    *,
    vectors: bool,
    thumbnails: bool,
) -> list[Record]:
    """See `Store.retrieve`."""
    found = engine.retrieve(
        *(at.stored_as, ids),
        vector=at.space.id if vectors else None,
        without=() if thumbnails else (THUMBNAIL,),
    )
    by_id = {record.id: record for record in found}
    there = [id for id in ids if id in by_id]
    of_points = labels.view(at.name).of(there) or {}
    return [labelled(by_id[id], of_points) for id in there]


def existing(engine: Engine, stored_as: str, ids: Sequence[str]) -> NDArray[np.bool_]:
    """Which ids there are points of; counted by the few, so that searches get in between."""
    there = np.ones(len(ids), np.bool_)
    for at in range(0, len(ids), _COUNT_BATCH):
        some = ids[at : at + _COUNT_BATCH]
        if engine.count(stored_as, has_ids(some)) < len(set(some)):
            found, _ = engine.ids(stored_as, has_ids(some), limit=len(some), start=None)
            there[at : at + len(some)] = np.isin(some, found)
    return there


def page(
    engine: Engine, labels: Labels, at: Collection, where: Where, *, limit: int, start: str | None
) -> tuple[list[Record], str | None]:
    """Up to `limit` points that match, in id order from id `start` on, and the id that follows."""
    while True:
        view = labels.view(at.name)
        found, following = engine.scroll(
            at.stored_as, view.where(where), limit=limit, start=start, without=(THUMBNAIL,)
        )
        of_points = view.of([record.id for record in found])
        if of_points is not None:
            return [labelled(record, of_points) for record in found], following


def vector_batches(
    engine: Engine, labels: Labels, at: Collection, where: Where, *, limit: int
) -> Iterator[tuple[list[str], NDArray[np.float32]]]:
    """The ids and vectors, float32 (n, dim), of all points that match, in id order."""
    start: str | None = None
    while True:
        ids, rows, start = engine.vectors(
            *(at.stored_as, labels.view(at.name).where(where)),
            vector=at.space.id,
            dim=at.space.dim,
            limit=limit,
            start=start,
        )
        if ids:
            yield ids, rows
        if start is None:
            return


def point_batches(
    engine: Engine, labels: Labels, at: Collection, *, limit: int
) -> Iterator[tuple[list[Point], LabelsOf]]:
    """All points in id order, thumbnails and all, each batch with its labels."""
    start: str | None = None
    while True:
        ids, payloads, rows, start = engine.points(
            *(at.stored_as, EVERYTHING),
            vector=at.space.id,
            dim=at.space.dim,
            limit=limit,
            start=start,
        )
        points = [
            Point(id, row, payload) for id, row, payload in zip(ids, rows, payloads, strict=True)
        ]
        yield points, labels.view(at.name).of(ids) or {}
        if start is None:
            return


def value_counts(
    engine: Engine, labels: Labels, at: Collection, where: Where, field: str
) -> Iterable[tuple[str | int | bool, int]]:
    """How many points that match hold each value of a field. Raises InvalidField."""
    clustering = clustering_of(index_path(field))
    view = labels.view(at.name)
    if clustering is None:
        if (type := at.indexes.get(field)) in {None, "float"}:
            raise InvalidField(
                f"the values of {field!r} cannot be counted: it has "
                f"{'no index' if type is None else 'a float index'}; "
                "allowed: fields with a keyword, integer or bool index, clusters.<clustering>"
            )
        return engine.facets(at.stored_as, view.where(where), index_path(field))
    if where == EVERYTHING:
        return view.counts(clustering).items()
    return _label_counts(engine, labels, at, view.where(where), clustering).items()


def _label_counts(
    engine: Engine, labels: Labels, at: Collection, where: Where, clustering: str
) -> Counter[int]:
    counts: Counter[int] = Counter()
    for ids in _pages_of_ids(engine, at.stored_as, where):
        of_points = labels.view(at.name).of(ids) or {}
        counts.update(of[clustering] for of in of_points.values() if clustering in of)
    return counts


def _pages_of_ids(engine: Engine, stored_as: str, where: Where) -> Iterator[list[str]]:
    start: str | None = None
    while True:
        ids, start = engine.ids(stored_as, where, limit=_ID_PAGE, start=start)
        yield ids
        if start is None:
            return
