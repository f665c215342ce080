"""Comparisons of two sets of images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lookalike.results.analyses import Independence
from lookalike.results.common import ItemError, Listing
from lookalike.results.embedding import Map


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure, with bounds of 95 % confidence by bootstrap."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Frechet:
    """The Fréchet distance; `no_difference` is what the same images dealt out at random would have."""

    distance: Estimate
    mean_term: float
    covariance_term: float
    no_difference: float


@dataclass(frozen=True, slots=True)
class Separability:
    """How well a classifier tells the sets apart on images it was not fitted to; `auc` 0.5: not at all."""

    auc: Estimate
    accuracy: Estimate
    p: float
    held_out: int


@dataclass(frozen=True, slots=True)
class ComparisonFigures:
    """How different two sets are.

    `precision` and `density` are of the second set in the region of the first, `recall` and `coverage` of the
    first in that of the second.
    """

    frechet: Frechet
    mmd: Estimate
    mmd_p: float
    mmd_bandwidth: float
    kid: Estimate
    precision: Estimate
    recall: Estimate
    density: Estimate
    coverage: Estimate
    separability: Separability
    sampled: list[int]


@dataclass(frozen=True, slots=True)
class ClusterShare:
    """How many images of each set a cluster holds; `difference` is of the shares, second less first."""

    label: int
    first: int
    second: int
    difference: Estimate
    p: float
    examples: dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Subset:
    """One of the two sets; `typical` are the ids of the images that are least like the other."""

    title: str
    collection: str
    filter: dict[str, Any] | None
    points: int
    typical: list[str]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A comparison of two sets of images; the clusters that differ most come first."""

    name: str
    first: Subset
    second: Subset
    clustering: str | None
    figures: ComparisonFigures
    clusters: list[ClusterShare]
    independence: Independence | None
    space: str
    seed: int
    created_at: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Counterpart:
    """An image and the nearest one of the other set."""

    id: str
    counterpart: str
    cosine: float
    cluster: int


@dataclass(frozen=True, slots=True)
class Counterparts(Listing[Counterpart]):
    """A page of counterparts, of `total` images; iterates over `counterparts`."""

    side: str
    total: int
    counterparts: list[Counterpart]

    def _rows(self) -> list[Counterpart]:
        return self.counterparts


@dataclass(frozen=True, slots=True)
class ComparedImage:
    """An image with what makes it of its own set; `error` says why there is no map."""

    id: str
    side: str
    along: float
    """Coordinate on the direction from the first set's mean to the second's."""
    metadata: dict[str, Any]
    map: Map | None = None
    error: ItemError | None = None


@dataclass(frozen=True, slots=True)
class ComparedImages(Listing[ComparedImage]):
    """Typical images of both sets; iterates over `images`."""

    images: list[ComparedImage]

    def _rows(self) -> list[ComparedImage]:
        return self.images
