"""Duplicates: groups, what leaks between sets, what to delete."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lookalike.results.common import Listing


@dataclass(frozen=True, slots=True)
class Duplicates:
    """What a search for duplicates found, and by which criteria.

    `contents` are images of different bytes, `compared` those of them that were compared in this run. `cut`:
    chains of duplicates that are several groups, since their ends are none.
    """

    name: str
    near: float
    bits: int
    variant: float
    filter: dict[str, Any] | None
    space: str
    points: int
    contents: int
    compared: int
    without_hash: int
    hashed_from_thumbnails: int
    groups: int
    exact: int
    near_duplicates: int
    variants: int
    cut: int
    created_at: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Duplicate:
    """An image of a group; `kind`, `cosine` and `bits` (of hashes, that differ) are to its representative."""

    id: str
    kind: str
    cosine: float
    bits: int | None
    source: str | None
    width: int
    height: int
    format: str


@dataclass(frozen=True, slots=True)
class DuplicateGroup:
    """Images of one picture; `representative` is the one to keep, `size` counts it too."""

    number: int
    representative: str
    source: str | None
    width: int
    height: int
    format: str
    size: int
    duplicates: list[Duplicate]


@dataclass(frozen=True, slots=True)
class DuplicateGroups(Listing[DuplicateGroup]):
    """A page of `total` groups; iterates over `groups`."""

    total: int
    groups: list[DuplicateGroup]

    def _rows(self) -> list[DuplicateGroup]:
        return self.groups


@dataclass(frozen=True, slots=True)
class LeakageBetween:
    """Two values that share pictures; `images` counts those of each with a duplicate of the other."""

    first: str
    second: str
    pairs: int
    images: list[int]


@dataclass(frozen=True, slots=True)
class LeakingPair:
    """Two images of one picture with different values."""

    first: str
    first_value: str
    second: str
    second_value: str
    kind: str
    cosine: float
    bits: int | None


@dataclass(frozen=True, slots=True)
class Leakage(Listing[LeakingPair]):
    """Pictures shared between the values of a field; iterates over `pairs`, a page of `total`.

    `without` counts the images with duplicates that have no value.
    """

    field: str
    without: int
    between: list[LeakageBetween]
    total: int
    pairs: list[LeakingPair]

    def _rows(self) -> list[LeakingPair]:
        return self.pairs


@dataclass(frozen=True, slots=True)
class DeletionPlan:
    """What deleting duplicates would do; `token` names it for `delete_duplicates`, `ids` is a page."""

    kinds: list[str]
    delete: int
    keep: int
    gone: int
    """Images of the plan that are gone or replaced already, or what was to be kept for them is."""
    token: str
    ids: list[str]
