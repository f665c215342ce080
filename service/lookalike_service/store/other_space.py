"""Points in the second space of a collection that is migrated. Their caller keeps other writers out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lookalike_service.errors import SpaceMismatch
from lookalike_service.store.engine import Engine
from lookalike_service.store.filters import has_ids
from lookalike_service.store.point_checks import unit_vectors
from lookalike_service.store.protocol import MADE_FROM, THUMBNAIL, Collection, OtherSpace, Point

_BATCH = 256


def named(collection: Collection) -> str:
    """A collection's spaces, for messages."""
    return " and ".join(f"{space.model} ({space.id})" for space in collection.spaces)


def required(collection: Collection, other: OtherSpace | None, space_id: str) -> OtherSpace:
    """The other space, if it is this one. Raises SpaceMismatch."""
    if other is None or other.space.id != space_id:
        raise SpaceMismatch(
            f"space {space_id} is not one that collection {collection.name!r} is migrated to: its "
            f"migration ended, or it was cut over; it has {named(collection)}"
        )
    return other


def write_other(
    engine: Engine,
    other: OtherSpace,
    points: Sequence[Point],
    payloads: Sequence[Mapping[str, Any]],
) -> None:
    """Write those that have a vector there; of the others nothing older may stay."""
    have = [i for i, point in enumerate(points) if point.other is not None]
    vectors = [(point.id, point.other) for point in points if point.other is not None]
    rows = unit_vectors(vectors, other.space)
    if gone := [point.id for point in points if point.other is None]:
        engine.delete(other.stored_as, has_ids(gone))
    for at in range(0, len(have), _BATCH):
        some = have[at : at + _BATCH]
        engine.upsert(
            *(other.stored_as, [points[i].id for i in some], [payloads[i] for i in some]),
            *(other.space.id, rows[at : at + _BATCH]),
        )


def lacking(
    engine: Engine, collection: Collection, other: OtherSpace, ids: Sequence[str]
) -> list[str]:
    """See `Store.lacking`."""
    own, theirs = (_payloads(engine, at, ids) for at in (collection.stored_as, other.stored_as))
    gone = [
        id
        for id, payload in theirs.items()
        if id not in own or own[id].get("sha256") != payload.get("sha256")
    ]
    if gone:
        engine.delete(other.stored_as, has_ids(gone))
    for id in theirs.keys() - set(gone):
        if changes := _changes(theirs[id], own[id]):
            engine.set_payload(other.stored_as, has_ids([id]), changes)
    return [id for id in ids if id in own and (id not in theirs or id in gone)]


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """What makes one payload the other; None removes."""
    keys = (old.keys() | new.keys()) - {MADE_FROM}
    return {key: new.get(key) for key in keys if old.get(key) != new.get(key)}


def fill(engine: Engine, collection: Collection, other: OtherSpace, points: Sequence[Point]) -> int:
    """See `Store.fill`."""
    ids = [point.id for point in points]
    own = _payloads(engine, collection.stored_as, ids, without=())
    there = _payloads(engine, other.stored_as, ids)
    wanted = [
        point
        for point in points
        if point.id not in there and own.get(point.id, {}).get("sha256") == point.payload["sha256"]
    ]
    rows = unit_vectors([(point.id, point.vector) for point in wanted], other.space)
    payloads = [
        {k: v for k, v in own[point.id].items() if k != MADE_FROM} | dict(point.payload)
        for point in wanted
    ]
    if wanted:
        ids = [point.id for point in wanted]
        engine.upsert(other.stored_as, ids, payloads, other.space.id, rows)
    return len(wanted)


def _payloads(
    engine: Engine, stored_as: str, ids: Sequence[str], without: Sequence[str] = (THUMBNAIL,)
) -> dict[str, dict[str, Any]]:
    found = engine.retrieve(stored_as, ids, vector=None, without=without)
    return {record.id: record.payload for record in found}
