"""How much a filter asks of the engine, told from its JSON before it is parsed, and how much it may."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lookalike_service.errors import InvalidFilter

MOST_CONDITIONS = 1_000
MOST_VALUES = 100_000
_CLAUSES = ("must", "should", "must_not")


@dataclass(frozen=True, slots=True)
class FilterSize:
    """What a filter has: conditions, nested ones included; values and ids; ways to meet its `min_should`.

    An engine goes over every choice of `min_count` conditions: these are the `ways`.
    """

    conditions: int = 0
    values: int = 0
    ways: int = 0

    def __add__(self, other: FilterSize) -> FilterSize:
        return FilterSize(
            self.conditions + other.conditions,
            self.values + other.values,
            self.ways + other.ways,
        )

    def times(self, count: int) -> FilterSize:
        """That of so many such filters."""
        return FilterSize(self.conditions * count, self.values * count, self.ways * count)

    def excess(self) -> str | None:
        """What there is too much of for one filter, and what to do instead; None if it is not too large."""
        if self.conditions > MOST_CONDITIONS:
            return (
                f"the filter has {self.conditions} conditions, nested ones included; at most "
                f"{MOST_CONDITIONS} are allowed: match many values of a field in one condition, by any or "
                "except"
            )
        if self.conditions + self.ways > MOST_CONDITIONS:
            return (
                "the filter's min_should can be met in too many ways: each choice of min_count conditions "
                f"counts as one of the {MOST_CONDITIONS} conditions that are allowed. Give fewer conditions, "
                "or a min_count near 1 or near their number"
            )
        if self.values > MOST_VALUES:
            return (
                f"the filter has {self.values} values and ids; at most {MOST_VALUES} are allowed: give the "
                "images a metadata field to filter by, or ask for a part at a time"
            )
        return None


def measure(filter: object) -> FilterSize:
    """The size of a filter's JSON, which need not be one that can be parsed."""
    size, pending = FilterSize(), [filter]
    while pending:
        node = pending.pop()
        if not isinstance(node, Mapping):
            continue
        inner = [item for clause in _CLAUSES for item in _listed(node.get(clause))]
        ways = 0
        if isinstance(minimum := node.get("min_should"), Mapping):
            chosen_from = _listed(minimum.get("conditions"))
            ways = _ways(len(chosen_from), minimum.get("min_count"))
            inner += chosen_from
        size += FilterSize(len(inner), _values(node), ways)
        pending += inner
    return size


def check_size(filter: object) -> None:
    """Raise InvalidFilter for a filter that would hold the engine up, saying what to do instead."""
    if wrong := measure(filter).excess():
        raise InvalidFilter(wrong)


def _listed(clause: Any) -> list[Any]:
    """The conditions of a clause; a lone one is a list of one."""
    if isinstance(clause, list):
        return clause
    return [clause] if isinstance(clause, Mapping) else []


def _ways(conditions: int, count: object) -> int:
    """In how many ways so many of the conditions can be chosen; 0 where that is refused anyway."""
    if type(count) is not int or not 0 < count <= conditions <= MOST_CONDITIONS:
        return 0
    return math.comb(conditions, count)


def _values(node: Mapping[str, Any]) -> int:
    """How many values or ids a condition names."""
    match = node.get("match")
    lists = [match.get("any"), match.get("except")] if isinstance(match, Mapping) else []
    return sum(len(one) for one in (*lists, node.get("has_id")) if isinstance(one, list))
