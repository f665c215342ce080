"""Collections on their way to another encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lookalike.results.training import UnusedImage


@dataclass(frozen=True, slots=True)
class SpaceState:
    """One of the two spaces of a collection that is migrated.

    `points` images have a vector in it, `indexed` of them in its graph; the others are searched exactly.
    """

    model: str
    space: str
    dim: int
    points: int
    indexed: int


@dataclass(frozen=True, slots=True)
class ThumbnailAgreement:
    """How much a thumbnail's embedding by `model`, the former encoder, is like that of the image itself."""

    model: str
    images: int
    mean_cosine: float
    least_cosine: float


@dataclass(frozen=True, slots=True)
class MigrationReport:
    """What was embedded anew, and how much the neighbours of a sample of images have changed.

    `overlap_at_10`: mean share of the ten nearest that both encoders name. `rank_correlation`: mean Kendall's
    tau of the orders in which they give the neighbours they share, over `ranked` images.
    """

    points: int
    from_thumbnails: int
    """Of these, embedded from the kept thumbnail; the others from the image itself."""
    not_migrated: int
    not_migrated_images: list[UnusedImage]
    """The first 1,000 of them."""
    sample: int
    overlap_at_10: float | None
    rank_correlation: float | None
    ranked: int
    thumbnails: ThumbnailAgreement | None
    """Measured where thumbnails were used and the former encoder is offered."""
    warnings: list[str]
    created_at: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Migration:
    """A collection on its way from one encoder to another, or the last one that arrived.

    `missing` images would be lost by cutting over now. `former` is None once it is dropped, `report` while
    images are being embedded, `job` where the last one is no longer remembered.
    """

    collection: str
    state: Literal["filling", "ready", "cut_over", "finished"]
    former: SpaceState | None
    target: SpaceState
    missing: int
    job: str | None
    report: MigrationReport | None
    created_at: str
