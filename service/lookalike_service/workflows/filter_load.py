"""What the filters of one call may ask of the store together."""

from __future__ import annotations

from collections.abc import Iterable

from lookalike_service.errors import InvalidFilter
from lookalike_service.schemas.search import SearchRequest
from lookalike_service.store.filter_size import FilterSize, measure

_CONDITIONS_TOGETHER = 5_000
_VALUES_TOGETHER = 300_000


def check_filters(requests: Iterable[SearchRequest]) -> None:
    """Raise InvalidFilter if the filters of searches made in one call are too much for the store together.

    One that is too large by itself is left to be refused by itself.
    """
    total = FilterSize()
    for request in requests:
        size = measure(request.filter)
        if size.excess() is None:
            total += size.times(_queries(request))
    conditions = total.conditions + total.ways
    if conditions > _CONDITIONS_TOGETHER or total.values > _VALUES_TOGETHER:
        raise InvalidFilter(
            f"The filters of this call have {conditions} conditions and {total.values} values and ids "
            f"together; at most {_CONDITIONS_TOGETHER} and {_VALUES_TOGETHER} are allowed, where a filter "
            "counts once for each group if 'group_size' is given and once for each positive of 'best_score'. "
            "Filter by less, or search in several calls."
        )


def _queries(request: SearchRequest) -> int:
    """How many queries to the store, at most, a search makes at once."""
    groups = request.offset + request.limit if (request.group_size or 1) > 1 else 1
    positives = len(request.positive or []) if request.strategy == "best_score" else 1
    return groups * positives
