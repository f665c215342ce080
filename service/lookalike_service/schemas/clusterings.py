"""Clusterings, agreement, cards and assignment."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from lookalike_service.schemas.base import FilterJson, Name, Wire
from lookalike_service.schemas.cluster_versions import Drift
from lookalike_service.schemas.embedding import Map
from lookalike_service.schemas.problems import ItemError

Criterion = Literal["silhouette", "elbow", "calinski_harabasz", "davies_bouldin", "gap"]


class ClusteringRequest(Wire):
    """How to cluster a collection."""

    name: Name | None = Field(
        None, description="Defaults to the algorithm; an older run of the name is replaced."
    )
    algorithm: str = Field("kmeans", examples=["kmeans", "hdbscan"])
    parameters: dict[str, Any] = Field(
        default_factory=dict,
        description="The algorithm's own; `k` may be a range `[from, to]`, from which one is chosen.",
        examples=[{"k": 8}, {"k": [2, 20]}],
    )
    criterion: Criterion = Field("silhouette", description="What a `k` is chosen from a range by.")
    reduction: str | None = Field(
        None,
        description="Reduce first: `pca:50` components, `pca:0.95` of the variance, `whiten:50` or "
        "`whiten:0.95` (the same at equal variance), `random:64` directions, `umap:10` dimensions.",
        examples=["pca:50"],
    )
    stability: int = Field(
        0,
        ge=0,
        le=50,
        description="Bootstrap samples by which the clusters' stability is measured.",
    )
    filter: FilterJson | None = None
    seed: int = 0
    follow: bool = Field(
        True, description="Label images that are indexed later, too, if they match the filter."
    )


class ClusterOut(Wire):
    """One cluster."""

    label: int
    name: str | None = None
    description: str | None = None
    size: int
    medoid: str | None = Field(
        description="Id of the image nearest to the centre; null if deleted while the job ran."
    )
    spread: float = Field(description="Mean cosine distance of members to the centre.")
    separation: float | None = Field(
        None, description="Cosine distance of the centre to the nearest other one; null if alone."
    )
    stability: float | None = Field(
        None,
        description="Mean Jaccard index with its like in bootstrap samples; null if not measured.",
    )
    exemplars: list[str] = Field([], description="Ids of the images nearest to the centre.")
    outliers: list[str] = Field([], description="Ids of the members farthest from it.")


class SweepCandidate(Wire):
    """What speaks for a `k`; null where a figure is undefined."""

    k: int
    within: float = Field(description="Sum of squared distances to the clusters' means (inertia).")
    silhouette: float | None
    silhouette_low: float | None = Field(description="Lower bound, 95 % confidence.")
    silhouette_high: float | None = Field(description="Upper bound; both are the mean if exact.")
    calinski_harabasz: float | None
    davies_bouldin: float | None
    gap: float | None
    gap_error: float | None


class Sweep(Wire):
    """How `k` was chosen from a range."""

    k: int
    criterion: Criterion
    points: int = Field(description="How many images were swept: beyond 20,000 a random sample.")
    candidates: list[SweepCandidate]
    choices: dict[Criterion, int | None] = Field(description="What each criterion would choose.")


class ClusteringOut(Wire):
    """A clustering of a collection."""

    name: str
    run: str = Field("", description="Another whenever the clustering is made anew.")
    description: str | None = None
    algorithm: str
    parameters: dict[str, Any]
    reduction: str | None
    filter: FilterJson | None
    seed: int
    space: str
    points: int
    noise: int = Field(description="Points in no cluster (label -1).")
    clusters: list[ClusterOut]
    sweep: Sweep | None = Field(None, description="Null where `k` was given, or not asked for.")
    diagnostics: dict[str, float | None]
    drift: Drift | None = Field(
        None, description="Null if images that are indexed later are not labelled."
    )
    created_at: str
    seconds: float


class MatchedValue(Wire):
    """A cluster and the value matched to it."""

    label: int
    value: str


class HoldingOut(Wire):
    """The clusters that hold the images of a value."""

    value: str
    clusters: list[int]
    precision: float
    recall: float
    quality: float = Field(description="Precision and recall, weighted.")


class IndependenceOut(Wire):
    """A test of whether the value does not depend on the cluster."""

    test: Literal["chi_square", "permutation"]
    statistic: float
    p: float
    cramers_v: float = Field(description="How strong the dependence is, 0 to 1.")


class AgreementOut(Wire):
    """A clustering against the values of a metadata field."""

    field: str
    points: int = Field(description="Images of the run that have a value.")
    without: int = Field(description="Images of the run that have none, left out, or are deleted.")
    clusters: list[int] = Field(description="Labels in the order of the rows; -1 is noise.")
    values: list[str] = Field(description="Values in the order of the columns.")
    confusion: list[list[int]] = Field(description="How many images are in both.")
    matching: list[MatchedValue] = Field(description="The best one-to-one matching.")
    figures: dict[str, float]
    holding: HoldingOut | None = Field(None, description="Null if no value was asked for.")
    independence: IndependenceOut | None = Field(
        description="Null if there is one cluster or one value."
    )


class Clusterings(Wire):
    """All clusterings of a collection."""

    clusterings: list[ClusteringOut]


class Exemplar(Wire):
    """A typical image of a cluster."""

    id: str
    score: float = Field(description="Cosine with the cluster's centroid.")
    source: str | None
    metadata: dict[str, Any]
    map: Map | None = Field(None, description="What makes it of this cluster and not the nearest.")
    error: ItemError | None = Field(None, description="Why there is no map.")


class ClusterCard(Wire):
    """What a cluster is about."""

    collection: str
    clustering: str
    label: int
    name: str | None = None
    size: int
    medoid: str | None = Field(description="Id of the image nearest to the centre.")
    spread: float = Field(description="Mean cosine distance of members to the centre.")
    nearest: int | None = Field(description="The cluster of the nearest centroid; null if alone.")
    similarity: float | None = Field(description="Cosine of the two centroids.")
    exemplars: list[Exemplar] = Field(description="The members nearest to the centroid.")


class AssignedItem(Wire):
    """The cluster of one image, or why there is none."""

    index: int
    label: int | None = Field(None, description="-1 is noise.")
    confidence: float | None = Field(
        None,
        description="0 (noise, or halfway between two clusters) to 1, by the clustering's rule.",
    )
    error: ItemError | None = None


class AssignResponse(Wire):
    """The clusters of new images."""

    items: list[AssignedItem]
