"""Wire types: the JSON that requests carry and answers hold."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SkipValidation, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
ImageId = Annotated[str, StringConstraints(min_length=1, max_length=512)]
FieldType = Literal["keyword", "integer", "float", "bool"]
FilterJson = dict[str, Any]
Criterion = Literal["silhouette", "elbow", "calinski_harabasz", "davies_bouldin", "gap"]
JobState = Literal["queued", "running", "succeeded", "failed", "cancelled"]


class Wire(BaseModel):
    """Base of all wire types: unknown fields are errors, not noise."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# -- errors


class Problem(BaseModel):
    """An RFC 9457 problem document (`application/problem+json`)."""

    type: str = Field(examples=["about:blank"])
    title: str
    status: int
    code: str = Field(description="Stable name of the error, one of the service's codes.")
    detail: str = Field(description="What was wrong, and what is allowed.")
    index: int | None = Field(None, description="Position of the item at fault in its batch.")
    errors: list[dict[str, Any]] | None = Field(
        None, description="Each invalid field, where several are."
    )


class ItemError(Wire):
    """Why one item of a batch has no result."""

    code: str
    detail: str


# -- service


class Info(Wire):
    """What runs here."""

    version: str
    model: str
    device: str
    dtype: str
    store: Literal["embedded", "qdrant"]


class Model(Wire):
    """An encoder: one that is offered here, or one that the service could be started with."""

    model: str
    served: bool = Field(False, description="Whether requests may name it here.")
    loaded: bool = Field(
        False, description="Whether it is in memory; else its first request loads it."
    )
    default: bool = False
    weights: Literal["installed", "offline", "download"] | None = Field(
        None,
        description="`installed`: come with the service, or loaded; `offline`: on this machine; `download`: "
        "fetched on first use; null: a user's own, not looked at yet.",
    )
    space: str | None = Field(
        None, description="Id of the embedding space, once loaded; only equal ids compare."
    )
    dim: int | None = None
    input_size: tuple[int, int] | None = Field(
        None, description="Height and width of what the encoder sees, in pixels."
    )
    text: bool | None = Field(None, description="Whether it embeds text too.")
    license: str | None = Field(None, description="Of the weights, as an SPDX identifier.")


class Models(Wire):
    """The encoders that are served."""

    models: list[Model]


class Readiness(Wire):
    """Whether a canary image embeds and the store answers."""

    ready: bool
    encoder: str
    store: str


# -- embedding and explanation


class Region(Wire):
    """A rectangle in pixels of the upright image."""

    left: float
    top: float
    width: float
    height: float


Target = Literal["self", "similarity", "class", "text", "component", "cluster", "neighbours"]
Method = Literal["gradcam", "hirescam", "gradcam++", "layercam", "eigencam", "rollout"]


class TargetOptions(BaseModel):
    """What a map is to explain, and how; a target takes those of the later fields that belong to it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Method = Field(
        "gradcam",
        description="How feature maps become a heat map; `eigencam` and `rollout` know no target.",
    )
    layer: str | None = Field(
        None, description="Layer of the network by name; its last feature maps if absent."
    )
    collection: Name | None = Field(
        None,
        description="Where `id`, `projection`, `clustering` and `neighbours` are looked up.",
    )
    id: ImageId | None = Field(
        None, description="Target `similarity`: the indexed image to compare with."
    )
    text: str | None = Field(
        None, min_length=1, max_length=1000, description="Target `text`: what to look for."
    )
    class_: str | None = Field(
        None,
        alias="class",
        min_length=1,
        description="Target `class`: its number or name; the most likely class if absent.",
    )
    projection: Name | None = Field(
        None, description="Target `component`: a PCA projection of the collection."
    )
    clustering: Name | None = Field(
        None,
        description="Target `cluster`: the clustering; target `component`: one with a PCA reduction.",
    )
    component: int | None = Field(
        None, description="Target `component`: its number from 1; negative for its negative side."
    )
    cluster: int | None = Field(None, description="Target `cluster`: its label.")
    against: int | Literal["nearest", "none"] | None = Field(
        None,
        description="Target `cluster`: the cluster it is told apart from; the nearest one if absent.",
    )
    neighbours: int | None = Field(
        None, ge=1, le=100, description="Target `neighbours`: how many top hits; 10 if absent."
    )


class Faithfulness(Wire):
    """Whether the map can be believed: what the target does when its hottest places are blurred."""

    deletion: float = Field(description="Mean target while the hottest places are blurred first.")
    insertion: float = Field(description="Mean target while the hottest places are shown first.")
    score: float = Field(description="Insertion less deletion; the higher, the more faithful.")
    chance: float = Field(description="Largest score, up or down, of maps of noise on this image.")
    verdict: Literal["faithful", "weak", "no better than chance"] = Field(
        description="`faithful`: more than twice what chance gave; `weak`: more than chance gave."
    )


class Map(Wire):
    """A heat map: row-major grid over `region`, scaled to [0, 1]."""

    grid: list[list[float]]
    region: Region = Field(description="The part of the upright image that the encoder saw.")
    image_width: int
    image_height: int
    peak: float = Field(
        description="Largest value before scaling; 0 for a map that is zero everywhere."
    )
    empty: bool = Field(
        description="True if nothing in the image speaks for the target: the grid is all zeros."
    )
    made_from: Literal["image", "thumbnail"] = Field(
        description="What was explained: the image as sent, or the thumbnail that is kept of it."
    )
    faithfulness: Faithfulness | None = Field(
        None, description="Null where it was not asked for, or the map is empty."
    )


class EmbedImage(Wire):
    """One image of a JSON request."""

    base64: str


class EmbedRequest(Wire):
    """Images and texts to embed, as JSON; at least one. The texts are numbered after the images."""

    images: list[EmbedImage] = Field(default_factory=list)
    texts: list[Annotated[str, StringConstraints(min_length=1, max_length=10_000)]] = Field(
        default_factory=list, description="For encoders that embed text too."
    )


class EmbedItem(Wire):
    """The embedding of one image, or why there is none."""

    index: int
    embedding: list[float] | None = Field(None, description="Unit L2 norm.")
    map: Map | None = None
    error: ItemError | None = None


class EmbedResponse(Wire):
    """Embeddings in the order of the images."""

    model: str
    space: str
    dim: int
    items: list[EmbedItem]


class ExplainResponse(Wire):
    """What in the image speaks for the target."""

    model: str
    target: Target
    method: Method
    layer: str | None = Field(description="The layer explained; null for the last feature maps.")
    value: float = Field(
        description="The target itself: a norm for `self`, a logit for `class`, a coordinate for "
        "`component`, a difference of cosines for `cluster`, else a cosine."
    )
    about: dict[str, Any] = Field(
        description="What the target came to, such as the cluster it is told apart from."
    )
    similarity: float | None = Field(None, description="Cosine with the reference.")
    map: Map
    reference_map: Map | None = Field(
        None, description="Target `similarity`: the same on the other image, where there is one."
    )


# -- collections and images


class CollectionRequest(Wire):
    """Settings of a new collection."""

    model: str | None = Field(None, description="Encoder; the service's default if absent.")
    distance: Literal["cosine"] = "cosine"
    indexes: dict[str, FieldType] = Field(
        default_factory=dict,
        description="Metadata fields to filter by, with their types.",
        examples=[{"metadata.label": "keyword", "metadata.age": "integer"}],
    )


class CollectionOut(Wire):
    """A collection."""

    name: str
    model: str
    space: str
    dim: int
    distance: Literal["cosine"]
    points: int
    indexes: dict[str, FieldType] = Field(
        description="Fields with an index: those declared, and up to 32 as they were first seen."
    )
    fields: dict[str, list[FieldType]] = Field(
        description="Metadata fields that were ever written, with the types of their values."
    )
    created_at: str


class Collections(Wire):
    """All collections."""

    collections: list[CollectionOut]


class IndexItem(Wire):
    """What became of one image."""

    index: int
    id: str | None = None
    status: Literal["created", "updated", "unchanged"] | None = None
    error: ItemError | None = None


class IndexResponse(Wire):
    """What became of each image, in order."""

    items: list[IndexItem]
    created: int
    updated: int
    unchanged: int
    failed: int


class ImageOut(Wire):
    """An indexed image."""

    id: str
    sha256: str
    source: str | None
    width: int
    height: int
    format: str
    indexed_at: str
    metadata: dict[str, Any]
    clusters: dict[str, int]


class ImagePage(Wire):
    """A page of images; pass `cursor` on for the next, null at the end."""

    images: list[ImageOut]
    cursor: str | None


class ImagePatch(Wire):
    """Metadata to merge: null removes a key."""

    metadata: dict[str, Any]


class DeleteRequest(Wire):
    """Which images to delete: by id or by filter, one of the two."""

    ids: list[ImageId] | None = None
    filter: FilterJson | None = None


class DeleteResponse(Wire):
    """How many images existed and are gone."""

    deleted: int


# -- search


Verdict = Literal["near_duplicate", "similar", "no_good_match"]
SearchExplain = Annotated[
    Literal["none", "similarity"],
    Field(description="`similarity`: maps on the query and on each hit, of at most 50 hits."),
]


class SearchOptions(Wire):
    """What every search may say beside its query."""

    limit: int = Field(10, ge=1, le=1000, description="Hits, or with `group_by` groups.")
    offset: int = Field(0, ge=0, le=100_000, description="Hits, or groups, to skip.")
    score_threshold: float | None = Field(None, ge=-1, le=1, description="Lowest cosine of a hit.")
    group_by: str | None = Field(
        None,
        description="A field such as `metadata.patient` or `clusters.kmeans`: only the best hits of each of "
        "its values; images without a value are left out.",
        examples=["metadata.patient"],
    )
    group_size: int | None = Field(
        None, ge=1, le=100, description="Hits of each group with `group_by`; 1 if absent."
    )
    diversity: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Maximal marginal relevance among the 100 nearest: 0 heeds the score alone, 1 only how "
        "little a hit is like those before it.",
    )
    exact: bool = Field(False, description="Compare with every image instead of the graph.")
    ef: int | None = Field(
        None,
        ge=1,
        le=10_000,
        description="Effort: candidates that the search of the graph keeps; chosen for you if absent.",
    )
    explain: SearchExplain = "none"
    faithfulness: bool = Field(False, description="Judge each map; costs 32 embeddings a map.")


Example = ImageId | list[float]


class SearchRequest(SearchOptions):
    """A query as JSON: exactly one of `id`, `vector`, `text` and `positive`."""

    id: ImageId | None = Field(None, description="An indexed image; it is left out of the hits.")
    vector: list[float] | None = None
    text: Annotated[str, StringConstraints(min_length=1, max_length=10_000)] | None = Field(
        None, description="What to look for in words, where the collection's encoder embeds text."
    )
    positive: list[Example] | None = Field(
        None,
        min_length=1,
        max_length=32,
        description="Ids of indexed images, or vectors, to find the like of; they are left out of the hits.",
        examples=[["a.jpg", "b.jpg"]],
    )
    negative: list[Example] | None = Field(
        None,
        min_length=1,
        max_length=32,
        description="Examples, beside `positive`, to keep away from.",
    )
    strategy: Literal["average_vector", "best_score"] | None = Field(
        None,
        description="With `positive`. `average_vector`, if absent: near 2 mean(positive) - mean(negative). "
        "`best_score`: by the cosine with the nearest positive, and no image that is nearer to a negative.",
    )
    region: Region | None = Field(
        None,
        description="Search by this part of the image, in pixels of the upright original. Of an indexed "
        "image it is cut from the thumbnail, which the answer's `made_from` says.",
    )
    filter: FilterJson | None = None


class SearchBatchRequest(Wire):
    """Searches to carry out in one call; none of them may be explained."""

    searches: list[Annotated[SearchRequest, SkipValidation]] = Field(min_length=1, max_length=100)
    """As they were sent: each is validated alone, so that one that is wrong fails alone."""


class HitExplanation(Wire):
    """Why a hit is like the query."""

    map: Map | None = Field(None, description="Where the hit is like the query.")
    query_map: Map | None = Field(
        None, description="Where the query is like the hit; null if the query is a vector."
    )
    error: ItemError | None = Field(None, description="Why the hit has no map.")


class Hit(Wire):
    """A similar image."""

    id: str
    score: float = Field(description="Cosine, -1 to 1.")
    source: str | None
    width: int
    height: int
    metadata: dict[str, Any]
    clusters: dict[str, int]
    group: str | int | bool | None = Field(
        None, description="The value of `group_by` that it stands for; null without."
    )
    chance: float | None = Field(
        None,
        description="The share of pairs of unrelated images of this collection that score as high; null "
        "without a calibration.",
    )
    expected: float | None = Field(
        None,
        description="How many images of a collection of this size score as high without being related: "
        "`chance` times their number.",
    )
    verdict: Verdict | None = Field(
        None,
        description="`near_duplicate`: as like as a picture is to itself saved anew, scaled or trimmed; "
        "`similar`: fewer than 1 in 100 unrelated pairs score as high; null without a calibration.",
    )
    explanation: HitExplanation | None = None


class CalibrationState(Wire):
    """What the hits' `chance` and `verdict` rest on."""

    created_at: str
    points: int = Field(description="Images that the collection held then.")
    stale: bool = Field(
        description="Whether the collection has since grown or shrunk by more than a fifth."
    )


QueryFrom = Annotated[
    Literal["image", "thumbnail"] | None,
    Field(
        description="What was embedded for the query: the image as sent, or the thumbnail that is kept of an "
        "indexed one; null for a stored or given vector, or a text."
    ),
]


class SearchResponse(Wire):
    """Hits: best first, with `group_by` group by group, with `diversity` in the order of choice."""

    model: str
    made_from: QueryFrom = None
    calibration: CalibrationState | None = Field(
        None, description="Null if the collection has none: POST …/calibration makes one."
    )
    hits: list[Hit]


class SearchBatchItem(Wire):
    """The hits of one search of a batch, or why there are none."""

    index: int
    made_from: QueryFrom = None
    hits: list[Hit] | None = None
    error: ItemError | None = None


class SearchBatchResponse(Wire):
    """What became of each search, in order."""

    model: str
    calibration: CalibrationState | None = None
    items: list[SearchBatchItem]


class FacetValue(Wire):
    """A value and how many images hold it."""

    value: str | int | bool
    count: int


class Facets(Wire):
    """The values of a field, the most frequent first; the values of a list count each."""

    field: str
    values: list[FacetValue]


class CalibrationRequest(Wire):
    """How to calibrate a collection's scores."""

    seed: int = Field(0, ge=0, lt=2**32, description="Of the pictures that are altered.")


class CalibrationOut(CalibrationState):
    """How cosines of unrelated images of a collection are distributed.

    Of unrelated pairs, `share` score `threshold` or more; above, their excess follows a generalised Pareto
    distribution of this `scale` and `shape`.
    """

    space: str
    images: int = Field(description="Images sampled.")
    pairs: int = Field(description="Pairs compared.")
    threshold: float
    share: float
    scale: float
    shape: float
    quantiles: list[float] = Field(
        description="Cosines of unrelated pairs at equal steps of probability, from 0 to 1 - `share`."
    )
    similar: float = Field(description="Cosine from which a hit is `similar`.")
    near_duplicate: float | None = Field(
        description="Cosine from which a hit is a `near_duplicate`; null if the encoder cannot tell altered "
        "copies from other images."
    )
    altered: int = Field(description="Altered pictures that `near_duplicate` was measured with.")
    copies: int = Field(description="Pairs that were left out, since they are so much alike.")
    seed: int
    seconds: float


# -- jobs


class Progress(Wire):
    """Where a job stands."""

    stage: str
    done: int
    total: int | None = None


class Job(Wire):
    """Work that takes longer than a request."""

    id: str
    kind: Literal["calibration", "clustering", "migration", "projection", "training"]
    collection: str
    state: JobState
    progress: Progress
    parameters: dict[str, Any]
    result: dict[str, Any] | None = None
    error: ItemError | None = None
    created_at: str
    started_at: str | None = None
    finished_at: str | None = None


class Jobs(Wire):
    """Jobs, newest first."""

    jobs: list[Job]


# -- clusterings and projections


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


class ClusterOut(Wire):
    """One cluster."""

    label: int
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


class ProjectionRequest(Wire):
    """How to draw a collection."""

    name: Name | None = Field(
        None, description="Defaults to the method; an older run of the name is replaced."
    )
    method: str = Field("umap", examples=["umap", "pca"])
    dimensions: Literal[2, 3] = 2
    parameters: dict[str, Any] = Field(default_factory=dict, examples=[{"n_neighbors": 15}])
    filter: FilterJson | None = None
    seed: int = 0


class ProjectionOut(Wire):
    """A projection's description."""

    name: str
    method: str
    dimensions: int
    parameters: dict[str, Any]
    filter: FilterJson | None
    seed: int
    space: str
    points: int
    diagnostics: dict[str, float | None]
    created_at: str
    seconds: float


class Projections(Wire):
    """All projections of a collection."""

    projections: list[ProjectionOut]


class ProjectionPoints(ProjectionOut):
    """A projection with its points: `ids[i]` lies at `coordinates[i]`."""

    ids: list[str]
    coordinates: list[list[float]]


class TransformItem(Wire):
    """The place of one image, or why there is none."""

    index: int
    coordinates: list[float] | None = None
    error: ItemError | None = None


class TransformResponse(Wire):
    """Where new images fall on an existing projection."""

    items: list[TransformItem]


# -- trainings


class AutoencoderRequest(Wire):
    """How to train an autoencoder on a collection's pictures."""

    kind: Literal["autoencoder"]
    name: Name = Field("autoencoder", description="A model is never replaced: delete it first.")
    dim: int = Field(150, ge=1, le=2048, description="Numbers that a picture is drawn anew from.")
    size: int = Field(
        128, ge=16, le=256, multiple_of=8, description="Side of what it sees, pixels."
    )
    epochs: int = Field(30, ge=1, le=10_000, description="Most passes over the pictures.")
    patience: int = Field(
        5, ge=1, description="Stop after so many epochs that did not lower the held-out loss."
    )
    held_out: float = Field(0.1, gt=0, le=0.5, description="Share of pictures not trained on.")
    batch_size: int = Field(64, ge=2, le=1024)
    learning_rate: float = Field(1e-3, gt=0, le=1)
    filter: FilterJson | None = None
    seed: int = Field(0, ge=0, lt=2**32)


class HeadRequest(Wire):
    """How to train a projection head on a collection's vectors and one metadata field's labels."""

    kind: Literal["head"]
    name: Name = Field("head", description="A model is never replaced: delete it first.")
    field: str = Field(
        description="Where the labels are.", pattern=r"^metadata\.\S+$", examples=["metadata.label"]
    )
    form: Literal["linear", "mlp"] = "linear"
    dim: int = Field(128, ge=2, le=2048, description="Length of the new embedding.")
    epochs: int = Field(100, ge=1, le=10_000, description="Passes over the labelled images.")
    temperature: float = Field(
        0.1,
        ge=0.01,
        le=10,
        description="Of the supervised contrastive loss: lower heeds the nearest more.",
    )
    held_out: float = Field(0.2, gt=0, le=0.5, description="Share of each class not trained on.")
    learning_rate: float = Field(3e-3, gt=0, le=1)
    filter: FilterJson | None = None
    seed: int = Field(0, ge=0, lt=2**32)


TrainingRequest = Annotated[AutoencoderRequest | HeadRequest, Field(discriminator="kind")]


class TrainingEpoch(Wire):
    """One pass over what is trained on."""

    epoch: int
    training_loss: float
    held_out_loss: float | None = Field(description="Null for a head: nothing is chosen by it.")


class UnusedImage(Wire):
    """An image that played no part, and why."""

    id: str
    code: str
    detail: str


class Training(Wire):
    """A trained model."""

    name: str
    kind: Literal["autoencoder", "head"]
    model: str = Field(description="Its encoder spec.")
    parameters: dict[str, Any]
    points: int = Field(description="Images it was trained on or measured with.")
    from_originals: int | None = Field(
        description="Of these, pictures read in full; the others are thumbnails. Null for a head."
    )
    unused: int = Field(description="Images that played no part.")
    unused_images: list[UnusedImage] = Field(description="The first 100 of them.")
    curve: list[TrainingEpoch]
    best_epoch: int = Field(description="The epoch whose weights are kept.")
    stopped_early: bool
    resumed_after: int = Field(
        description="The epoch it went on from when it was killed; 0 if not."
    )
    measures: dict[str, float] = Field(
        description="Autoencoder: `mse`, over held-out pictures, and `mse_of_mean_picture` to compare it "
        "with. Head: `recall_at_1` and `knn_accuracy` of held-out images, `_before` and `_after`."
    )
    created_at: str
    seconds: float


class Trainings(Wire):
    """All models trained on a collection."""

    trainings: list[Training]


# -- migrations


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
