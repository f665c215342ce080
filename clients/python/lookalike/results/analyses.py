"""Clusterings and projections of collections."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lookalike.results.cluster_versions import Drift
from lookalike.results.common import ItemError, Listing
from lookalike.results.embedding import Map


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster; `medoid` is the id of the image nearest to its centre, None if it was deleted."""

    label: int
    size: int
    medoid: str | None
    spread: float
    """Mean cosine distance of members to the centre."""
    separation: float | None = None
    """Cosine distance of the centre to the nearest other one; None if alone."""
    stability: float | None = None
    """Mean Jaccard index with its like in bootstrap samples; None if not measured."""
    exemplars: list[str] | None = None
    """Ids of the images nearest to the centre; None from an older service."""
    outliers: list[str] | None = None
    """Ids of the members farthest from it; None from an older service."""
    name: str | None = None
    description: str | None = None


@dataclass(frozen=True, slots=True)
class SweepCandidate:
    """What speaks for a `k`; None where a figure is undefined. `within` is the inertia."""

    k: int
    within: float
    silhouette: float | None
    silhouette_low: float | None
    silhouette_high: float | None
    calinski_harabasz: float | None
    davies_bouldin: float | None
    gap: float | None
    gap_error: float | None


@dataclass(frozen=True, slots=True)
class Sweep:
    """How `k` was chosen from a range; `choices` is what each criterion would choose."""

    k: int
    criterion: str
    points: int
    candidates: list[SweepCandidate]
    choices: dict[str, int | None]


@dataclass(frozen=True, slots=True)
class Clustering:
    """A clustering of a collection; `noise` counts the points in no cluster (label -1)."""

    name: str
    algorithm: str
    parameters: dict[str, Any]
    reduction: str | None
    filter: dict[str, Any] | None
    seed: int
    space: str
    points: int
    noise: int
    clusters: list[Cluster]
    diagnostics: dict[str, float | None]
    created_at: str
    seconds: float
    sweep: Sweep | None = None
    run: str = ""
    """Another whenever the clustering is made anew."""
    description: str | None = None
    drift: Drift | None = None
    """None if images that are indexed later are not labelled."""


@dataclass(frozen=True, slots=True)
class MatchedValue:
    """A cluster and the value matched to it."""

    label: int
    value: str


@dataclass(frozen=True, slots=True)
class Holding:
    """The clusters that hold the images of a value; `quality` weighs precision and recall."""

    value: str
    clusters: list[int]
    precision: float
    recall: float
    quality: float


@dataclass(frozen=True, slots=True)
class Independence:
    """A test of whether a value does not depend on the cluster; `cramers_v` is how strongly it does."""

    test: str
    statistic: float
    p: float
    cramers_v: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """A clustering against a metadata field: `confusion[i][j]` images of `clusters[i]` have `values[j]`.

    `without` counts the images of the run that have no value, or are deleted; they are left out.
    """

    field: str
    points: int
    without: int
    clusters: list[int]
    values: list[str]
    confusion: list[list[int]]
    matching: list[MatchedValue]
    figures: dict[str, float]
    holding: Holding | None
    independence: Independence | None


@dataclass(frozen=True, slots=True)
class Exemplar:
    """A typical image of a cluster; `score` is its cosine with the centroid.

    `map` is what makes it of this cluster and not the nearest; `error` says why there is none.
    """

    id: str
    score: float
    source: str | None
    metadata: dict[str, Any]
    map: Map | None = None
    error: ItemError | None = None


@dataclass(frozen=True, slots=True)
class ClusterCard(Listing[Exemplar]):
    """What a cluster is about; iterates over `exemplars`, the members nearest to its centroid.

    `nearest` is the other cluster with the nearest centroid, and `similarity` the cosine of the two.
    """

    collection: str
    clustering: str
    label: int
    size: int
    medoid: str | None
    spread: float
    nearest: int | None
    similarity: float | None
    exemplars: list[Exemplar]
    name: str | None = None

    def _rows(self) -> list[Exemplar]:
        return self.exemplars


@dataclass(frozen=True, slots=True)
class Projection:
    """A projection's description, without its points."""

    name: str
    method: str
    dimensions: int
    parameters: dict[str, Any]
    filter: dict[str, Any] | None
    seed: int
    space: str
    points: int
    diagnostics: dict[str, float | None]
    created_at: str
    seconds: float
    reduction: str | None = None
    align_to: str | None = None
    label_field: str | None = None


@dataclass(frozen=True, slots=True)
class ProjectionPoints(Projection):
    """A projection with its points: `ids[i]` lies at `coordinates[i]` (2 or 3 floats).

    None from an older service: `distortion`, for each point the share of its neighbours that are not near
    it on the map (None for one placed later), `later`, whether it was placed on the map after that was
    made, `columns`, the fields asked for with a value for each point, `unplaced`, how many new images have
    no place since the collection was migrated, and `explained_variance`, which is of PCA alone: the share
    that the first components hold together.
    """

    ids: list[str] = field(default_factory=list)
    coordinates: list[list[float]] = field(default_factory=list)
    distortion: list[float | None] | None = None
    later: list[bool] | None = None
    columns: dict[str, list[Any]] | None = None
    unplaced: int | None = None
    explained_variance: list[float] | None = None


@dataclass(frozen=True, slots=True)
class Assignment:
    """The cluster of one new image (-1 is noise) with a confidence from 0 to 1, or `error`."""

    index: int
    label: int | None = None
    confidence: float | None = None
    error: ItemError | None = None


@dataclass(frozen=True, slots=True)
class Assignments(Listing[Assignment]):
    """The clusters of new images, in order; iterates over `items`."""

    items: list[Assignment]

    def _rows(self) -> list[Assignment]:
        return self.items


@dataclass(frozen=True, slots=True)
class Placement:
    """Where one new image falls on a projection, or `error`."""

    index: int
    coordinates: list[float] | None = None
    error: ItemError | None = None


@dataclass(frozen=True, slots=True)
class Placements(Listing[Placement]):
    """Where new images fall, in order; iterates over `items`."""

    items: list[Placement]

    def _rows(self) -> list[Placement]:
        return self.items
