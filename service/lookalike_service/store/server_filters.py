"""Compile filters for a Qdrant server."""

from __future__ import annotations

from qdrant_client import models

from lookalike_service.store.filters import (
    Condition,
    HasId,
    IsEmpty,
    IsNull,
    Match,
    MatchAny,
    MatchExcept,
    Range,
    Where,
)


def server_filter(where: Where) -> models.Filter:
    """The client's own filter object."""
    return models.Filter(
        must=_all(where.must),
        should=_all(where.should),
        must_not=_all(where.must_not),
        min_should=models.MinShould(
            conditions=_all(where.min_should) or [], min_count=where.min_count
        )
        if where.min_count
        else None,
    )


def _all(conditions: tuple[Condition, ...]) -> list[models.Condition] | None:
    return [_one(condition) for condition in conditions] or None


def _one(condition: Condition) -> models.Condition:
    match condition:
        case Where():
            return server_filter(condition)
        case HasId(ids):
            return models.HasIdCondition(has_id=list(ids))
        case IsEmpty(key):
            return models.IsEmptyCondition(is_empty=models.PayloadField(key=key))
        case IsNull(key):
            return models.IsNullCondition(is_null=models.PayloadField(key=key))
        case Range(key, gt, gte, lt, lte):
            return models.FieldCondition(
                key=key, range=models.Range(gt=gt, gte=gte, lt=lt, lte=lte)
            )
        case Match() | MatchAny() | MatchExcept():
            return models.FieldCondition(key=condition.key, match=_match(condition))


def _match(condition: Match | MatchAny | MatchExcept) -> models.Match:
    match condition:
        case Match(value=value):
            return models.MatchValue(value=value)
        case MatchAny(values=values):
            return models.MatchAny(any=values)
        case MatchExcept(values=values):
            return models.MatchExcept(**{"except": values})
