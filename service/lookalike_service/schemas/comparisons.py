"""Comparisons of two sets of images."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from lookalike_service.schemas.base import FilterJson, Name, Wire
from lookalike_service.schemas.clusterings import IndependenceOut
from lookalike_service.schemas.embedding import Map
from lookalike_service.schemas.problems import ItemError

Side = Literal["first", "second"]


class Subset(Wire):
    """A set of images: those of a collection that a filter matches."""

    title: str = Field(
        "", max_length=100, description="What the report calls it.", examples=["real"]
    )
    collection: Name | None = Field(
        None, description="Another collection of the same encoder; by default the one compared."
    )
    filter: FilterJson | None = Field(
        None,
        description="Absent: all images; of the second set, in the same collection, those that the first "
        "filter does not match.",
    )


class ComparisonRequest(Wire):
    """Which images to compare with which, and how."""

    name: Name = Field("comparison", description="An older comparison of the name is replaced.")
    first: Subset = Field(
        default_factory=Subset,
        description="The reference, such as the real images.",
        examples=[
            {
                "title": "real",
                "filter": {"must": [{"key": "metadata.kind", "match": {"value": "real"}}]},
            }
        ],
    )
    second: Subset = Field(
        default_factory=Subset, description="What is compared with it, such as the synthetic ones."
    )
    clustering: Name | None = Field(
        None,
        description="The clusters to look for the difference in; by default found in both sets together.",
    )
    clusters: int = Field(10, ge=2, le=100, description="How many to find, where none are named.")
    seed: int = Field(0, ge=0, lt=2**32)


class Estimate(Wire):
    """A figure, with bounds of 95 % confidence by bootstrap."""

    value: float
    low: float
    high: float


class FrechetOut(Wire):
    """The Fréchet distance of the two sets, of vectors of unit length."""

    distance: Estimate
    mean_term: float = Field(description="The part that the means' distance has in it.")
    covariance_term: float = Field(description="The part that the covariances' difference has.")
    no_difference: float = Field(
        description="The distance of the same images dealt out at random to sets of the same sizes: what "
        "there is for want of images alone."
    )


class SeparabilityOut(Wire):
    """How well a linear classifier tells the sets apart on images it was not fitted to."""

    auc: Estimate = Field(description="0.5: not at all; 1: always.")
    accuracy: Estimate
    p: float
    held_out: int


class ComparisonFigures(Wire):
    """How different the sets are; see docs/comparisons.md."""

    frechet: FrechetOut
    mmd: Estimate = Field(description="Squared, unbiased; around 0 for sets that are alike.")
    mmd_p: float = Field(description="By 1,000 permutations.")
    mmd_bandwidth: float
    kid: Estimate = Field(description="Kernel inception distance.")
    precision: Estimate = Field(description="Share of the second set that is where the first is.")
    recall: Estimate = Field(description="Share of the first set that is where the second is.")
    density: Estimate
    coverage: Estimate = Field(description="Share of the first set with one of the second near.")
    separability: SeparabilityOut
    sampled: list[int] = Field(
        description="Images of each set behind the figures that compare all with all; half of it, at most "
        "2,000, behind `mmd` and `kid`."
    )


class ClusterShareOut(Wire):
    """How much of each set a cluster holds."""

    label: int = Field(description="-1 is noise.")
    first: int
    second: int
    difference: Estimate = Field(description="Share of the second set less that of the first.")
    p: float = Field(description="Of equal shares; adjusted for looking at all clusters.")
    examples: dict[Side, list[str]] = Field(description="Ids of images of the cluster.")


class SubsetOut(Wire):
    """One of the two sets as it was compared."""

    title: str
    collection: str
    filter: FilterJson | None
    points: int
    typical: list[str] = Field(
        description="Ids of the images that are least like the other set, along the direction between means."
    )


class ComparisonOut(Wire):
    """A comparison of two sets of images."""

    name: str
    first: SubsetOut
    second: SubsetOut
    clustering: str | None
    figures: ComparisonFigures
    clusters: list[ClusterShareOut] = Field(description="Those that differ most first.")
    independence: IndependenceOut | None = Field(
        description="Whether the clusters hold the sets alike; null for a single cluster."
    )
    space: str
    seed: int
    created_at: str
    seconds: float


class Comparisons(Wire):
    """All comparisons of a collection."""

    comparisons: list[ComparisonOut]


class Counterpart(Wire):
    """An image and the nearest one of the other set."""

    id: str
    counterpart: str
    cosine: float
    cluster: int


class Counterparts(Wire):
    """A page of counterparts."""

    side: Side
    total: int = Field(description="Images of the set when it was compared.")
    counterparts: list[Counterpart]


class ComparedImage(Wire):
    """An image of a set, and what in it makes it of its own set rather than the other."""

    id: str
    side: Side
    along: float = Field(
        description="Coordinate on the direction from the first set's mean to the second's."
    )
    metadata: dict[str, Any]
    map: Map | None = None
    error: ItemError | None = Field(None, description="Why there is no map.")


class ComparedImages(Wire):
    """Typical images of both sets with maps."""

    images: list[ComparedImage]
