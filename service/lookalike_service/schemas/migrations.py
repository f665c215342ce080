"""Migrations to another model."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lookalike_service.schemas.base import Wire
from lookalike_service.schemas.trainings import UnusedImage


class MigrationRequest(Wire):
    """To which encoder a collection is to be moved, and how closely the two are compared."""

    model: str = Field(description="The new encoder's spec, one of those offered.")
    sample: int = Field(200, ge=2, le=10_000, description="Images to compare the two encoders by.")
    seed: int = Field(0, ge=0, lt=2**32, description="Of the sample.")


class SpaceState(Wire):
    """One of the two spaces of a collection that is migrated."""

    model: str
    space: str
    dim: int
    points: int = Field(description="Images that have a vector in it.")
    indexed: int = Field(
        description="How many of them its graph holds; the others are searched exactly."
    )


class ThumbnailAgreement(Wire):
    """How much a thumbnail's embedding is like that of the image itself."""

    model: str = Field(description="The former encoder, whose vectors of the images are there.")
    images: int
    mean_cosine: float
    least_cosine: float


class MigrationReport(Wire):
    """What was embedded anew, and how much the neighbours have changed."""

    points: int = Field(description="Images with a vector by the new encoder.")
    from_thumbnails: int = Field(
        description="Of these, embedded from the kept thumbnail; the others from the image itself."
    )
    not_migrated: int = Field(description="Images that could not be read again or embedded.")
    not_migrated_images: list[UnusedImage] = Field(description="The first 1,000 of them.")
    sample: int = Field(description="Images that the two encoders were compared by.")
    overlap_at_10: float | None = Field(
        description="Mean share of the ten nearest images that both encoders name; null for one image."
    )
    rank_correlation: float | None = Field(
        description="Mean Kendall's tau between the orders in which both encoders give the images that "
        "are among the 50 nearest of both; null where no image has five such."
    )
    ranked: int = Field(
        description="Images of the sample that the rank correlation is the mean of."
    )
    thumbnails: ThumbnailAgreement | None = Field(
        description="Measured where thumbnails were used and the former encoder is offered."
    )
    warnings: list[str]
    created_at: str
    seconds: float


class Migration(Wire):
    """A collection on its way from one encoder to another, or the last one that arrived."""

    collection: str
    state: Literal["filling", "ready", "cut_over", "finished"] = Field(
        description="`filling`: images are being embedded anew; `ready`: to be cut over; `cut_over`: the "
        "new encoder answers and the former can be rolled back to; `finished`: the former is dropped."
    )
    former: SpaceState | None = Field(description="Null once it is dropped.")
    target: SpaceState
    missing: int = Field(description="Images that would be lost, or were, by cutting over now.")
    job: str | None = Field(description="Its last job, where that is still remembered.")
    report: MigrationReport | None = Field(description="Null while filling.")
    created_at: str


class CutOverRequest(Wire):
    """What may be lost by it."""

    allow_missing: bool = Field(
        False,
        description="Also if images have no vector by the new encoder; they are no longer found.",
    )
