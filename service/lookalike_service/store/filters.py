"""Filters: Qdrant's filter JSON parsed into a small tree that each engine compiles for itself."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lookalike_service.errors import InvalidFilter
from lookalike_service.store.filter_size import check_size
from lookalike_service.store.protocol import point_id

Scalar = str | int | bool


@dataclass(frozen=True, slots=True)
class Match:
    """The field, or an element of the list it holds, equals `value` in type and value."""

    key: str
    value: Scalar


@dataclass(frozen=True, slots=True)
class MatchAny:
    """The field, or an element of the list it holds, is one of `values`."""

    key: str
    values: list[str] | list[int]


@dataclass(frozen=True, slots=True)
class MatchExcept:
    """The field, or an element of the list it holds, is none of `values`."""

    key: str
    values: list[str] | list[int]


@dataclass(frozen=True, slots=True)
class Range:
    """The field, or an element of the list it holds, is a number within all given bounds."""

    key: str
    gt: float | None = None
    gte: float | None = None
    lt: float | None = None
    lte: float | None = None


@dataclass(frozen=True, slots=True)
class IsEmpty:
    """The field is absent, null or an empty list."""

    key: str


@dataclass(frozen=True, slots=True)
class IsNull:
    """The field is there and null, or a list that holds null."""

    key: str


@dataclass(frozen=True, slots=True)
class HasId:
    """The point is one of these (UUID strings)."""

    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Where:
    """All of `must`, none of `must_not`, one of `should` if any, `min_count` of `min_should`."""

    must: tuple[Condition, ...] = ()
    should: tuple[Condition, ...] = ()
    must_not: tuple[Condition, ...] = ()
    min_should: tuple[Condition, ...] = ()
    min_count: int = 0


FieldCondition = Match | MatchAny | MatchExcept | Range | IsEmpty | IsNull
Condition = Match | MatchAny | MatchExcept | Range | IsEmpty | IsNull | HasId | Where

EVERYTHING = Where()

_CLAUSES = ("must", "should", "must_not", "min_should")
_MATCHES = ("value", "any", "except")
_BOUNDS = ("gt", "gte", "lt", "lte")
_FIELDS = ("key", "sha256", "source", "width", "height", "format", "indexed_at")
_DEEPEST = 16
_SEGMENT = re.compile(r'(?:"(?P<quoted>[^"]+)"|(?P<bare>[^."\[\]]+))(?P<index>(?:\[\d{0,9}\])*)')
_BARE = re.compile(r"[A-Za-z0-9_-]+")


def has_ids(ids: Iterable[str]) -> Where:
    """The points of these UUIDs."""
    return Where(must=(HasId(tuple(ids)),))


def field_path(field: str) -> str:
    """The field as the engines' JSON path: parts that need quotes get them.

    Raises ValueError if it is neither one of the fixed fields nor below `metadata.` or `clusters.`.
    """
    if field in _FIELDS:
        return field
    root, dot, rest = field.partition(".")
    if dot and root == "clusters" and (name := _cluster_name(rest)):
        return f"clusters.{quoted(name)}"
    if dot and root == "metadata" and (path := _metadata_path(rest)):
        return f"metadata.{path}"
    raise ValueError(
        f"{field!r} is not a field to filter by; allowed: metadata.<name>, "
        f"clusters.<clustering>, {', '.join(_FIELDS)}"
    )


def clustering_of(path: str) -> str | None:
    """The clustering whose labels a path of `field_path` means; None for other fields."""
    root, _, name = path.partition(".")
    return name.strip('"') if root == "clusters" else None


def concerns_labels(where: Where) -> bool:
    """Whether any condition is about the labels of a clustering."""
    return any(
        concerns_labels(condition)
        if isinstance(condition, Where)
        else not isinstance(condition, HasId) and clustering_of(condition.key) is not None
        for condition in (*where.must, *where.should, *where.must_not, *where.min_should)
    )


def map_labels(where: Where, change: Callable[[FieldCondition, str], Condition]) -> Where:
    """The filter with each condition about labels changed; `change` is told the clustering."""

    def one(condition: Condition) -> Condition:
        if isinstance(condition, Where):
            return map_labels(condition, change)
        if isinstance(condition, HasId) or (name := clustering_of(condition.key)) is None:
            return condition
        return change(condition, name)

    return replace(
        where,
        must=tuple(map(one, where.must)),
        should=tuple(map(one, where.should)),
        must_not=tuple(map(one, where.must_not)),
        min_should=tuple(map(one, where.min_should)),
    )


def _cluster_name(text: str) -> str | None:
    """A clustering's name is one part, dots and all."""
    inner = text[1:-1] if len(text) > 2 and text[0] == text[-1] == '"' else text
    return inner if inner and '"' not in inner else None


def _metadata_path(text: str) -> str | None:
    parts, at = [], 0
    while match := _SEGMENT.match(text, at):
        parts.append(quoted(match["quoted"] or match["bare"]) + match["index"])
        at = match.end()
        if at == len(text):
            return ".".join(parts)
        if text[at] != ".":
            return None
        at += 1
    return None


def quoted(name: str) -> str:
    """A name as a part of a path."""
    return name if _BARE.fullmatch(name) else f'"{name}"'


def parse_filter(filter: Mapping[str, Any] | None) -> Where:
    """The tree of a filter in Qdrant's JSON; None and {} match everything.

    Raises InvalidFilter that names the place and what is allowed there, or for one that is too large.
    """
    check_size(filter)
    return EVERYTHING if filter is None else _where(filter, "filter", 0)


def _where(node: Any, at: str, depth: int) -> Where:
    if depth > _DEEPEST:
        raise InvalidFilter(f"the filter is nested deeper than {_DEEPEST} levels")
    node = _object(node, at, _CLAUSES)
    minimum = node.get("min_should")
    conditions, count = _min_should(minimum, at, depth) if minimum is not None else ((), 0)
    return Where(
        must=_conditions(node.get("must"), f"{at}.must", depth),
        should=_conditions(node.get("should"), f"{at}.should", depth),
        must_not=_conditions(node.get("must_not"), f"{at}.must_not", depth),
        min_should=conditions,
        min_count=count,
    )


def _min_should(node: Any, at: str, depth: int) -> tuple[tuple[Condition, ...], int]:
    at = f"{at}.min_should"
    node = _object(node, at, ("conditions", "min_count"))
    count = node.get("min_count")
    if type(count) is not int or count < 1:
        raise InvalidFilter(f"{at}.min_count must be an integer ≥ 1, not {count!r}")
    conditions = _conditions(node.get("conditions"), f"{at}.conditions", depth)
    if len(conditions) < count:  # nothing could match; the engine, though, lets some points pass
        raise InvalidFilter(
            f"{at} asks for {count} of {len(conditions)} conditions; give at least as many"
        )
    return conditions, count


def _conditions(node: Any, at: str, depth: int) -> tuple[Condition, ...]:
    if node is None:
        return ()
    if isinstance(node, Mapping):  # Qdrant takes a lone condition for a list of one
        node = [node]
    if not isinstance(node, list):
        raise InvalidFilter(f"{at} must be a list of conditions, not {_kind(node)}")
    return tuple(_condition(item, f"{at}[{i}]", depth) for i, item in enumerate(node))


def _condition(node: Any, at: str, depth: int) -> Condition:
    if not isinstance(node, Mapping):
        raise InvalidFilter(f"{at} must be an object, not {_kind(node)}")
    if any(clause in node for clause in _CLAUSES):
        return _where(node, at, depth + 1)
    if "key" in node:
        return _field_condition(node, at)
    if len(node) == 1:
        ((name, value),) = node.items()
        if name == "has_id":
            return HasId(tuple(point_id(key) for key in _ids(value, f"{at}.has_id")))
        if name in {"is_empty", "is_null"}:
            key = _path(_object(value, f"{at}.{name}", ("key",)).get("key"), f"{at}.{name}.key")
            return IsEmpty(key) if name == "is_empty" else IsNull(key)
    raise InvalidFilter(
        f"{at} is not a condition: {sorted(map(str, node))}; allowed: "
        "key with match, range, is_empty or is_null; has_id; is_empty; is_null; a filter"
    )


def _field_condition(node: Mapping[str, Any], at: str) -> Condition:
    operators = [name for name in node if name != "key"]
    if len(operators) != 1 or operators[0] not in _OPERATORS:
        raise InvalidFilter(
            f"{at} needs exactly one of {', '.join(_OPERATORS)} beside key, not {operators}"
        )
    operator = operators[0]
    key = _path(node["key"], f"{at}.key")
    return _OPERATORS[operator](key, node[operator], f"{at}.{operator}")


def _match(key: str, node: Any, at: str) -> Condition:
    node = _object(node, at, _MATCHES)
    if len(node) != 1:
        raise InvalidFilter(f"{at} needs exactly one of {', '.join(_MATCHES)}, not {sorted(node)}")
    ((name, value),) = node.items()
    if name == "value":
        if isinstance(value, bool) or _is_keyword(value):
            return Match(key, value)
        raise InvalidFilter(
            f"{at}.value must be a string, a 64-bit integer or a boolean, not {_kind(value)}; "
            "for other numbers use range"
        )
    values = _keywords(value, f"{at}.{name}")
    if name == "any":
        return MatchAny(key, values)
    if not values:  # the embedded engine finds none with an index, and all without
        raise InvalidFilter(
            f"{at}.except needs at least one value; for any value use is_empty: false"
        )
    return MatchExcept(key, values)


def _range(key: str, node: Any, at: str) -> Range:
    node = _object(node, at, _BOUNDS)
    bounds = {name: value for name, value in node.items() if value is not None}
    if not bounds:
        raise InvalidFilter(f"{at} needs at least one of {', '.join(_BOUNDS)}")
    for name, value in bounds.items():
        if type(value) not in {int, float} or abs(value) >= 2**63 or not math.isfinite(value):
            raise InvalidFilter(f"{at}.{name} must be a finite number, not {value!r}")
    return Range(key, **{name: float(value) for name, value in bounds.items()})


def _is_empty(key: str, node: Any, at: str) -> Condition:
    return _unless(IsEmpty(key), node, at)


def _is_null(key: str, node: Any, at: str) -> Condition:
    return _unless(IsNull(key), node, at)


def _unless(condition: Condition, wanted: Any, at: str) -> Condition:
    if not isinstance(wanted, bool):
        raise InvalidFilter(f"{at} must be true or false, not {_kind(wanted)}")
    return condition if wanted else Where(must_not=(condition,))


_OPERATORS: dict[str, Callable[[str, Any, str], Condition]] = {
    "match": _match,
    "range": _range,
    "is_empty": _is_empty,
    "is_null": _is_null,
}


def _path(key: Any, at: str) -> str:
    if not isinstance(key, str):
        raise InvalidFilter(f"{at} must be a string, not {_kind(key)}")
    try:
        return field_path(key)
    except ValueError as error:
        raise InvalidFilter(f"{at}: {error}") from None


def _object(node: Any, at: str, allowed: tuple[str, ...]) -> Mapping[str, Any]:
    if not isinstance(node, Mapping):
        raise InvalidFilter(f"{at} must be an object, not {_kind(node)}")
    if unknown := [str(name) for name in node if name not in allowed]:
        raise InvalidFilter(f"{at} has unknown {', '.join(unknown)}; allowed: {', '.join(allowed)}")
    return node


def _ids(node: Any, at: str) -> list[str]:
    if isinstance(node, list) and all(isinstance(item, str) for item in node):
        return node
    raise InvalidFilter(f"{at} must be a list of image ids (strings)")


def _keywords(node: Any, at: str) -> list[str] | list[int]:
    if isinstance(node, list) and all(_is_keyword(item) for item in node):
        if all(isinstance(item, str) for item in node):
            return [str(item) for item in node]
        if not any(isinstance(item, str) for item in node):
            return [int(item) for item in node]
    raise InvalidFilter(f"{at} must be a list of strings or a list of 64-bit integers")


def _is_keyword(value: Any) -> bool:
    return isinstance(value, str) or (type(value) is int and -(2**63) <= value < 2**63)


def _kind(value: Any) -> str:
    names = {type(None): "null", bool: "a boolean", int: "an integer", float: "a number"}
    names |= {str: "a string", list: "a list", dict: "an object"}
    return names.get(type(value), type(value).__name__)
