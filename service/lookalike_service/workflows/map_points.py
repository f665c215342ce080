"""The images on a map now: those it was made of, and those indexed since.

New images are placed when the map is next read, whichever way they came in, and their places kept. They are
found by what is on the map already, and by when an image was indexed: one that was replaced since is
placed anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike_service.errors import InvalidParameters, SpaceMismatch
from lookalike_service.schemas.projections import ProjectionOut, ProjectionPoints
from lookalike_service.store.protocol import Filter, Record, Store
from lookalike_service.workflows import runs
from lookalike_service.workflows.fitted_maps import FittedMap, load
from lookalike_service.workflows.map_columns import column
from lookalike_service.workflows.projection import LATER

_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class MapPoints:
    """The images on a map, in the order of their ids.

    `coordinates`: float32 (n, dimensions). `distortion`: float32 (n,), NaN where not known. `later`: bool
    (n,), of those placed after the map was made. `unplaced`: how many have no place.
    """

    run: ProjectionOut
    payloads: list[dict[str, Any]]
    ids: list[str]
    coordinates: NDArray[np.float32]
    distortion: NDArray[np.float32]
    later: NDArray[np.bool_]
    unplaced: int
    explained_variance: NDArray[np.float32] | None

    @property
    def keys(self) -> list[str]:
        """The callers' ids."""
        return [payload["key"] for payload in self.payloads]

    def only(self, ids: set[str]) -> MapPoints:
        """Those of these ids; `unplaced` stays as it is."""
        rows = [row for row, id in enumerate(self.ids) if id in ids]
        return replace(
            self,
            payloads=[self.payloads[row] for row in rows],
            ids=[self.ids[row] for row in rows],
            coordinates=self.coordinates[rows],
            distortion=self.distortion[rows],
            later=self.later[rows],
        )


@dataclass(frozen=True, slots=True)
class _Later:
    """Places of images by id, each with when the image was indexed."""

    places: dict[str, tuple[str, NDArray[np.float32]]]

    def of(self, record: Record) -> NDArray[np.float32] | None:
        indexed_at, place = self.places.get(record.id, ("", None))
        return place if indexed_at == _indexed_at(record) else None


def read(store: Store, collection: str, name: str, filter: Filter | None = None) -> MapPoints:
    """The images on the map that are still there, new ones placed; with a filter those that match.

    Raises UnknownProjection, InvalidFilter.
    """
    found = _read(store, collection, name)
    return found if filter is None else found.only(_matching(store, collection, filter))


def _read(store: Store, collection: str, name: str) -> MapPoints:
    found = load(store, collection, name)
    key = runs.key(collection, name)
    began = _began(found.run)
    known, later = list[tuple[Record, int]](), list[tuple[Record, NDArray[np.float32] | None]]()
    kept = _kept(store, key, found)
    for record in _records(store, collection, found):
        row = found.rows.get(record.id)
        if row is not None and _indexed_at(record) <= began:
            known.append((record, row))
        else:
            later.append((record, kept.of(record)))
    placed = _placed(store, collection, found, later)
    if len(placed) > sum(place is not None for _, place in later):
        _keep(store, key, found, placed)
    return _points(found, known, placed, unplaced=len(later) - len(placed))


def _records(store: Store, collection: str, found: FittedMap) -> Iterator[Record]:
    """Images of the map's filter, and those on the map that it matches no more."""
    seen, cursor = set[str](), None
    while True:
        page, cursor = store.scroll(collection, filter=found.run.filter, limit=_PAGE, cursor=cursor)
        seen |= {record.id for record in page}
        yield from page
        if cursor is None:
            break
    if found.run.filter:
        rest = [id for id in found.arrays["ids"].tolist() if id not in seen]
        for first in range(0, len(rest), _PAGE):
            yield from store.retrieve(collection, rest[first : first + _PAGE])


def _matching(store: Store, collection: str, filter: Filter) -> set[str]:
    ids, cursor = set[str](), None
    while True:
        page, cursor = store.scroll(collection, filter=filter, limit=_PAGE, cursor=cursor)
        ids |= {record.id for record in page}
        if cursor is None:
            return ids


def _indexed_at(record: Record) -> str:
    return str(record.payload.get("indexed_at", ""))


def _began(run: ProjectionOut) -> str:
    """When the job began, to compare with `indexed_at`."""
    ended = datetime.fromisoformat(run.created_at)
    return (ended - timedelta(seconds=int(run.seconds))).isoformat(timespec="seconds")


def _placed(
    store: Store,
    collection: str,
    found: FittedMap,
    later: list[tuple[Record, NDArray[np.float32] | None]],
) -> list[tuple[Record, NDArray[np.float32]]]:
    """Those that have a place or get one, which new ones do unless their vectors are of another space."""
    placed = [(record, place) for record, place in later if place is not None]
    new = [record for record, place in later if place is None]
    if not new:
        return placed
    try:
        pinned = runs.in_space(store, collection, "map", found.run.space).pinned
        placer = found.placer
    except (SpaceMismatch, InvalidParameters):  # a map of another space, or of an older version
        return placed
    of = {record.id: record for record in new}
    ids = sorted(of)
    for first in range(0, len(ids), _PAGE):
        page = store.retrieve(pinned, ids[first : first + _PAGE], vectors=True)
        rows = [record for record in page if record.vector is not None]
        if rows:
            places = placer.place(
                np.stack([record.vector for record in rows if record.vector is not None])
            )
            placed += [(of[record.id], place) for record, place in zip(rows, places, strict=True)]
    return placed


def _kept(store: Store, key: str, found: FittedMap) -> _Later:
    arrays = store.arrays(LATER, key)
    if arrays is None or arrays["of"].tolist() != [_version(found.run)]:
        return _Later({})
    rows = zip(
        arrays["ids"].tolist(), arrays["indexed_at"].tolist(), arrays["coordinates"], strict=True
    )
    return _Later({id: (indexed_at, place) for id, indexed_at, place in rows})


def _keep(
    store: Store, key: str, found: FittedMap, placed: list[tuple[Record, NDArray[np.float32]]]
) -> None:
    arrays = {
        "of": np.array([_version(found.run)]),
        "ids": runs.id_array([record.id for record, _ in placed]),
        "indexed_at": np.array([_indexed_at(record) for record, _ in placed]),
        "coordinates": np.stack([place for _, place in placed]),
    }
    store.put_arrays(LATER, key, arrays)


def _version(run: ProjectionOut) -> str:
    """What tells a map from one that replaced it."""
    return f"{run.created_at} {run.seconds} {run.seed} {run.points}"


def _points(
    found: FittedMap,
    known: list[tuple[Record, int]],
    placed: list[tuple[Record, NDArray[np.float32]]],
    *,
    unplaced: int,
) -> MapPoints:
    rows = [row for _, row in known]
    old, arrays = len(rows), found.arrays
    records = [record for record, _ in known] + [record for record, _ in placed]
    coordinates = np.concatenate(
        [arrays["coordinates"][rows], *(place[None] for _, place in placed)]
    )
    distortion = np.full(len(records), np.nan, dtype=np.float32)
    if "distortion" in arrays:
        distortion[:old] = arrays["distortion"][rows]
    later = np.arange(len(records)) >= old
    order = sorted(range(len(records)), key=lambda row: records[row].id)
    return MapPoints(
        found.run,
        [records[row].payload for row in order],
        [records[row].id for row in order],
        coordinates[order],
        distortion[order],
        later[order],
        unplaced,
        arrays.get("explained_variance"),
    )


def describe(
    store: Store,
    collection: str,
    name: str,
    columns: list[str],
    filter: Filter | None = None,
) -> ProjectionPoints:
    """A projection with its points, those that match, and the columns asked for.

    Raises UnknownProjection, InvalidField, InvalidFilter.
    """
    found = read(store, collection, name, filter)
    curve = found.explained_variance
    return ProjectionPoints(
        **found.run.model_dump(),
        ids=found.keys,
        coordinates=found.coordinates.tolist(),
        distortion=[None if np.isnan(one) else one for one in found.distortion.tolist()],
        later=found.later.tolist(),
        columns={path: column(found.payloads, path) for path in columns},
        unplaced=found.unplaced,
        explained_variance=None if curve is None else curve.tolist(),
    )
