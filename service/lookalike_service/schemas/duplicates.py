"""Duplicates: groups, what leaks between sets, and what to delete."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lookalike_service.schemas.base import FilterJson, Name, Wire

DuplicateKind = Literal["exact", "near", "variant"]


class DuplicatesRequest(Wire):
    """What counts as a duplicate."""

    name: Name = Field(
        "duplicates",
        description="An older run of the name is gone on from: only what is new is compared.",
    )
    near: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Cosine from which images are near duplicates, if their perceptual hashes agree too; 0.9 "
        "if absent, or more where the collection's calibration says so.",
    )
    bits: int = Field(
        10, ge=0, le=32, description="Bits of the 64 of a perceptual hash that may differ."
    )
    variant: float | None = Field(
        None,
        gt=0,
        le=1,
        description="Cosine from which images are variants whatever their hashes, such as mirrored ones; "
        "0.95 if absent, or more where the calibration says so.",
    )
    filter: FilterJson | None = None
    anew: bool = Field(False, description="Compare all again, whatever was compared before.")


class DuplicatesOut(Wire):
    """What a search for duplicates found."""

    name: str
    near: float
    bits: int
    variant: float
    filter: FilterJson | None
    space: str
    points: int
    contents: int = Field(description="Images of different bytes.")
    compared: int = Field(description="Of these, compared in this run; the others were before.")
    without_hash: int = Field(
        description="Contents without a perceptual hash, and no readable thumbnail to make it from: they can "
        "be exact copies and variants alone."
    )
    hashed_from_thumbnails: int = Field(
        description="Contents indexed before hashes were kept: theirs were made in this run."
    )
    groups: int
    exact: int = Field(description="Images of the same bytes as their group's representative.")
    near_duplicates: int
    variants: int
    cut: int = Field(
        description="Chains of duplicates whose ends are none, and that are several groups therefore."
    )
    created_at: str
    seconds: float


class DuplicatesRuns(Wire):
    """All searches for duplicates of a collection."""

    duplicates: list[DuplicatesOut]


class Duplicate(Wire):
    """An image of a group; `kind`, `cosine` and `bits` say how it is one of the representative's."""

    id: str
    kind: DuplicateKind
    cosine: float
    bits: int | None = Field(description="Null where one of the two has no perceptual hash.")
    source: str | None
    width: int
    height: int
    format: str


class DuplicateGroup(Wire):
    """Images of one picture."""

    number: int
    representative: str = Field(
        description="Id of the image to keep: the largest, and least lossy."
    )
    source: str | None
    width: int
    height: int
    format: str
    size: int = Field(description="Images in the group, the representative among them.")
    duplicates: list[Duplicate] = Field(
        description="The others that are still there, at most 1,000."
    )


class DuplicateGroups(Wire):
    """A page of groups, the largest first."""

    total: int
    groups: list[DuplicateGroup]


class LeakageBetween(Wire):
    """Two values of the field that share pictures."""

    first: str
    second: str
    pairs: int
    images: list[int] = Field(
        description="Images of the first value with a duplicate of the second, and the other way round."
    )


class LeakingPair(Wire):
    """Two images of one picture with different values."""

    first: str
    first_value: str
    second: str
    second_value: str
    kind: DuplicateKind
    cosine: float
    bits: int | None


class LeakageOut(Wire):
    """Pictures that are shared between the values of a field, such as splits or patients."""

    field: str
    without: int = Field(
        description="Images with duplicates that have no value; they are left out."
    )
    between: list[LeakageBetween] = Field(description="By the number of pairs; the first 1,000.")
    total: int = Field(
        description="Pairs of images of different values; copies of a file with the same value count once."
    )
    pairs: list[LeakingPair] = Field(description="A page of them, the most alike first.")


class PlanOut(Wire):
    """What deleting duplicates would do; nothing is deleted by asking for it."""

    kinds: list[DuplicateKind]
    delete: int
    keep: int = Field(description="Images of the collection that would be left.")
    gone: int = Field(
        description="Of those to delete, gone or replaced since, or what was to be kept for them is."
    )
    token: str = Field(description="Names this plan; give it to carry out this plan and no other.")
    ids: list[str] = Field(description="A page of the ids to delete.")


class ApplyRequest(Wire):
    """A plan to carry out."""

    token: str
    kinds: list[DuplicateKind] = Field(default=["exact", "near"], min_length=1)


class Applied(Wire):
    """What was deleted."""

    deleted: int
    spared: int = Field(
        description="Images that were replaced, or whose representative is gone or replaced, since."
    )
