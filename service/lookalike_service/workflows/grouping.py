"""The best hits of each value of a field: one hit per patient, product or cluster."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lookalike_service.errors import InvalidField
from lookalike_service.store.filters import field_path
from lookalike_service.store.protocol import Filter, Hit
from lookalike_service.workflows.ranking import Ranking

Scalar = str | int | bool
_FEWEST, _MOST = 64, 1000


@dataclass(frozen=True, slots=True)
class Group:
    """A value of the field, and the best hits that hold it, best first."""

    value: Scalar
    hits: list[Hit]


def best_groups(ranking: Ranking, field: str, count: int, *, size: int) -> list[Group]:
    """The groups of the best hits, as many as `count` or as there are, each with up to `size` hits.

    An image whose value is a list belongs to the first of its values that has a group already, else to its
    first value; one without a value to none. Raises InvalidField for a field that cannot be grouped by.
    """
    path = _names(field)
    leaders: dict[tuple[type, Scalar], Hit] = {}
    page = _page(count)
    while len(leaders) < count:
        found = [value for _, value in leaders]
        # Those of the groups found are left out, so each round finds at least one more, or the end.
        hits = ranking.best_of_each([_beyond(field, found)], page)[0]
        for hit in hits:
            keys = [(type(value), value) for value in _values(hit, field, path)]
            if not any(key in leaders for key in keys) and len(leaders) < count:
                leaders[keys[0]] = hit
        if len(hits) < page:
            break
        page = min(2 * page, _MOST)
    if not leaders:
        _check_known(ranking, field)
    groups = [Group(value, [hit]) for (_, value), hit in leaders.items()]
    return groups if size == 1 else _filled(ranking, field, groups, size)


def _page(count: int) -> int:
    """Hits to read first when so many groups are wanted."""
    return max(_FEWEST, 2 * count)


def _check_known(ranking: Ranking, field: str) -> None:
    """Raise InvalidField if no image has the field: a slip of the pen would pass for no hits."""
    store, name = ranking.store, ranking.collection
    if store.count(name) and not store.count(name, _beyond(field, [])):
        raise InvalidField(
            f"'group_by': no image of collection '{name.partition('@')[0]}' has a value in '{field}'."
        )


def _filled(ranking: Ranking, field: str, groups: list[Group], size: int) -> list[Group]:
    """Each group with its next best hits; the first of another group stays there."""
    taken = {group.hits[0].id for group in groups}
    found = ranking.best_of_each([_holds(field, [g.value]) for g in groups], size)
    filled = []
    for group, hits in zip(groups, found, strict=True):
        others = [hit for hit in hits if hit.id not in taken]
        filled.append(Group(group.value, [group.hits[0], *others][:size]))
        taken |= {hit.id for hit in others}
    return filled


def _names(field: str) -> list[str]:
    """The keys that lead to the field in a payload. Raises InvalidField."""
    try:
        field_path(field)
    except ValueError as error:
        raise InvalidField(f"'group_by': {error}.") from None
    if '"' in field or "[" in field:
        raise InvalidField(f"'group_by' takes plain names with dots between, not {field!r}.")
    root, _, rest = field.partition(".")
    return [root, rest] if root == "clusters" else field.split(".")


def _values(hit: Hit, field: str, path: Sequence[str]) -> list[Scalar]:
    """The values of a hit, at least one. Raises InvalidField for one that filters cannot match."""
    value: Any = hit.payload
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    values = value if isinstance(value, list) else [value]
    for one in values:
        if not isinstance(one, (str, int)):
            raise InvalidField(
                f"'group_by': image '{hit.payload['key']}' has {one!r:.80} in '{field}'; only strings, "
                "integers and booleans can be grouped by."
            )
    return values


def _beyond(field: str, found: Sequence[Scalar]) -> Filter:
    """Images that have a value, and none of those found."""
    return {"must_not": [{"is_empty": {"key": field}}, *_conditions(field, found)]}


def _holds(field: str, values: Sequence[Scalar]) -> Filter:
    return {"must": _conditions(field, values)}


def _conditions(field: str, values: Sequence[Scalar]) -> list[dict[str, Any]]:
    """A condition for each type of value, which the values' filter conditions keep apart."""
    by_type: dict[type, list[Scalar]] = {}
    for value in values:
        by_type.setdefault(type(value), []).append(value)
    flags = by_type.pop(bool, [])
    return [{"key": field, "match": {"any": some}} for some in by_type.values()] + [
        {"key": field, "match": {"value": flag}} for flag in flags
    ]
