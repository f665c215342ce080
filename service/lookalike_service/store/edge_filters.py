"""Compile filters for the embedded engine."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import qdrant_edge as edge

from lookalike_service.store.filters import (
    Condition,
    FieldCondition,
    HasId,
    IsEmpty,
    IsNull,
    Match,
    MatchAny,
    MatchExcept,
    Range,
    Where,
    clustering_of,
)

LabelCompiler = Callable[[FieldCondition, str], "edge.ConditionType"]  # a type in stubs alone
"""Compiles a condition about the labels of the named clustering."""


def edge_filter(where: Where, labelled: LabelCompiler) -> edge.Filter:
    """The engine's own filter object."""

    def all_of(conditions: tuple[Condition, ...]) -> list[edge.ConditionType] | None:
        return [_one(condition, labelled) for condition in conditions] or None

    return edge.Filter(
        must=all_of(where.must),
        should=all_of(where.should),
        must_not=all_of(where.must_not),
        min_should=edge.MinShould(all_of(where.min_should) or [], where.min_count)
        if where.min_count
        else None,
    )


def _one(condition: Condition, labelled: LabelCompiler) -> edge.ConditionType:
    match condition:
        case Where():
            return edge_filter(condition, labelled)
        case HasId(ids):
            return edge.HasIdCondition(set(ids))  # the binding takes nothing but a set
        case _:
            clustering = clustering_of(condition.key)
            return _field(condition) if clustering is None else labelled(condition, clustering)


def _field(condition: FieldCondition) -> edge.ConditionType:
    match condition:
        case IsEmpty(key):
            return edge.IsEmptyCondition(key)
        case IsNull(key):
            return edge.IsNullCondition(key)
        case Range(key, gt, gte, lt, lte):
            return edge.FieldCondition(key, range=edge.RangeFloat(gte, gt, lte, lt))
        case Match() | MatchAny() | MatchExcept():
            return edge.FieldCondition(condition.key, match=_match(condition))


def _match(condition: Match | MatchAny | MatchExcept) -> edge.MatchType:
    match condition:
        case Match(value=bool(value)):
            # The binding reads Python's True as the integer 1; only numpy's stays a boolean.
            return edge.MatchValue(np.bool_(value))  # type: ignore[arg-type]  # see above
        case Match(value=value):
            return edge.MatchValue(value)
        case MatchAny(values=values):
            return edge.MatchAny(values)
        case MatchExcept(values=values):
            return edge.MatchExcept(values)
