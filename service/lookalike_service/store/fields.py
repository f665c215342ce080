"""Which metadata fields a collection's images have, of which types, and which of them are indexed.

A field that is seen for the first time gets an index of its type at once, while few points can hold it:
later it would cost a pass over all. Declared indexes come first. Not indexed are fields beyond the
thirty-second, texts (strings of more than 128 characters) and what lies deeper than four levels; filters
find them too, by looking at every point, which is why a filter may have a few such conditions only. A filter
by a field that no image has is refused.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from lookalike_service.errors import InvalidFilter
from lookalike_service.store.engine import Engine
from lookalike_service.store.filters import (
    EVERYTHING,
    FieldCondition,
    HasId,
    IsEmpty,
    IsNull,
    Match,
    Range,
    Where,
    field_path,
    parse_filter,
    quoted,
)
from lookalike_service.store.protocol import Collection, FieldType, Filter

MOST_INDEXES = 32
MOST_FIELDS = 128
MOST_UNINDEXED = 16
"""Conditions of a filter that no index answers: each looks at every point, 0.7 s per million."""
_LONGEST = 128
_DEEPEST = 4
_UNNAMEABLE = re.compile(r'["\[\]]')
_PLACE = re.compile(r"\[\d*\]")
_LISTED = 20


@dataclass(frozen=True, slots=True)
class Learned:
    """A collection's fields with their types, and the indexes to make for those that are new."""

    fields: dict[str, list[FieldType]]
    indexes: dict[str, FieldType]


def learn(collection: Collection, payloads: Iterable[Mapping[str, Any]]) -> Learned | None:
    """What payloads tell that the collection's description does not; None if nothing."""
    fields = {field: list(types) for field, types in collection.fields.items()}
    known = {(field, type) for field, types in fields.items() for type in types}
    indexes: dict[str, FieldType] = {}
    before = len(known)
    for payload in payloads:
        for field, value in _values(payload.get("metadata"), "metadata", 0):
            type = _type(value)
            if (field, type) in known or (field not in fields and len(fields) >= MOST_FIELDS):
                continue
            known.add((field, type))
            fields.setdefault(field, []).append(type)
            if _wants_index(field, type, value, {**collection.indexes, **indexes}):
                indexes[field] = type
    return Learned(fields, indexes) if len(known) > before else None


def _wants_index(field: str, type: FieldType, value: object, made: Mapping[str, FieldType]) -> bool:
    if field in made:  # an index of integers would hide the fractions from a range
        return made[field] == "integer" and type == "float"
    return len(made) < MOST_INDEXES and not (isinstance(value, str) and len(value) > _LONGEST)


def _values(value: Any, path: str, depth: int) -> Iterator[tuple[str, Any]]:
    """Every scalar with the field it is in; elements of a list are in the list's field."""
    if isinstance(value, dict):
        for name, inner in value.items() if depth < _DEEPEST else ():
            if (field := _field(path, name)) is None:
                continue
            if isinstance(inner, (str, int, float)):  # most are, and every point is gone over
                yield field, inner
            else:
                yield from _values(inner, field, depth + 1)
    elif isinstance(value, list):
        inside = f"{path}[]" if any(isinstance(inner, dict) for inner in value) else path
        for inner in value:
            yield from _values(inner, inside, depth)
    elif value is not None and depth:
        yield path, value


@lru_cache(maxsize=10_000)
def _field(path: str, name: str) -> str | None:
    """The field of this name below another; None if no filter could name it."""
    return f"{path}.{quoted(name)}" if name and not _UNNAMEABLE.search(name) else None


def _type(value: object) -> FieldType:
    if isinstance(value, str):
        return "keyword"
    if isinstance(value, bool):
        return "bool"
    return "integer" if isinstance(value, int) and -(2**63) <= value < 2**63 else "float"


def checked_filter(engine: Engine, at: Collection, filter: Filter | None) -> Where:
    """The filter as a tree. Raises InvalidFilter, also for a field that no image has.

    A slip of the pen would pass for no hits, or in `must_not` for all of them.
    """
    where = parse_filter(filter)
    _check_indexed(at, where)
    for path in _unknown(at, where):
        having = Where(must_not=(IsEmpty(path),))
        if engine.count(at.stored_as, EVERYTHING) and not engine.count(at.stored_as, having):
            raise _no_such_field(at, path)
    return where


def _unknown(collection: Collection, where: Where) -> list[str]:
    """The metadata fields that a filter compares values of and no image is known to have."""
    known = {_PLACE.sub("", field) for field in collection.fields}
    compared = [one.key for one in _of_fields(where) if not isinstance(one, (IsEmpty, IsNull))]
    return [
        path
        for path in dict.fromkeys(compared)
        if path.startswith("metadata.") and _PLACE.sub("", path) not in known
    ]


def _of_fields(where: Where) -> Iterator[FieldCondition]:
    """The conditions about fields, nested ones included."""
    for condition in (*where.must, *where.should, *where.must_not, *where.min_should):
        if isinstance(condition, Where):
            yield from _of_fields(condition)
        elif not isinstance(condition, HasId):
            yield condition


def _check_indexed(collection: Collection, where: Where) -> None:
    """Raise InvalidFilter for too many conditions that no index answers."""
    indexes = {field_path(field): type for field, type in collection.indexes.items()}
    slow = [one.key for one in _of_fields(where) if indexes.get(one.key) not in _answering(one)]
    if len(slow) > MOST_UNINDEXED:
        fields = ", ".join(list(dict.fromkeys(slow))[:_LISTED])
        raise InvalidFilter(
            f"{len(slow)} conditions of the filter have no index that answers them, or are about clusters; "
            f"at most {MOST_UNINDEXED} such are allowed: match many values in one condition, by any or "
            f"except, or give these fields an index of the values' type: {fields}"
        )


def _answering(condition: FieldCondition) -> tuple[FieldType, ...]:
    """The types of index that answer a condition without a look at every point."""
    match condition:
        case IsEmpty() | IsNull():
            return ("keyword", "integer", "float", "bool")
        case Range():
            return ("integer", "float")
        case Match(value=value):
            return (_type(value),)
        case _:
            return tuple({_type(value) for value in condition.values[:1]})


def _no_such_field(collection: Collection, path: str) -> InvalidFilter:
    """Names the field, the one that was probably meant, and those there are."""
    known = sorted(collection.fields)
    close = difflib.get_close_matches(path, known, n=1)
    listed = ", ".join(known[:_LISTED]) + (", …" if len(known) > _LISTED else "")
    return InvalidFilter(
        f"no image of collection {collection.name!r} has a value in {path!r}"
        f"{f'; did you mean {close[0]!r}?' if close else ''}; its fields are: {listed or 'none'}"
    )
