"""Wire types: the JSON that requests carry and answers hold."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$")]
ImageId = Annotated[str, StringConstraints(min_length=1, max_length=512)]
FieldType = Literal["keyword", "integer", "float", "bool"]
FilterJson = dict[str, Any]
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
    """An encoder that is served."""

    model: str
    space: str = Field(description="Id of the embedding space; only equal ids compare.")
    dim: int
    input_size: tuple[int, int] = Field(
        description="Height and width of what the encoder sees, in pixels."
    )
    text: bool = Field(description="Whether it embeds text too.")
    license: str
    default: bool


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


class Map(Wire):
    """A Grad-CAM map: row-major grid over `region`, scaled to [0, 1]."""

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


class EmbedImage(Wire):
    """One image of a JSON request."""

    base64: str


class EmbedRequest(Wire):
    """Images to embed, as JSON."""

    images: list[EmbedImage] = Field(min_length=1)


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
    """What in the image the embedding, or its likeness to the reference, comes from."""

    model: str
    target: Literal["self", "similarity"]
    similarity: float | None = Field(None, description="Cosine of the two embeddings.")
    map: Map
    reference_map: Map | None = None


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
    indexes: dict[str, FieldType]
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


class SearchRequest(Wire):
    """A query as JSON: exactly one of `id` and `vector`."""

    id: ImageId | None = Field(None, description="An indexed image; it is left out of the hits.")
    vector: list[float] | None = None
    limit: int = Field(10, ge=1, le=1000)
    offset: int = Field(0, ge=0, le=100_000)
    score_threshold: float | None = Field(None, ge=-1, le=1)
    filter: FilterJson | None = None


class Hit(Wire):
    """A similar image."""

    id: str
    score: float = Field(description="Cosine, -1 to 1.")
    source: str | None
    width: int
    height: int
    metadata: dict[str, Any]
    clusters: dict[str, int]


class SearchResponse(Wire):
    """Hits, best first."""

    model: str
    hits: list[Hit]


# -- jobs


class Progress(Wire):
    """Where a job stands."""

    stage: str
    done: int
    total: int | None = None


class Job(Wire):
    """Work that takes longer than a request."""

    id: str
    kind: Literal["clustering", "projection"]
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
    parameters: dict[str, Any] = Field(default_factory=dict, examples=[{"k": 8}])
    reduction: str | None = Field(
        None,
        description="Reduce first: `pca:50` components, `pca:0.95` of the variance.",
        examples=["pca:50"],
    )
    filter: FilterJson | None = None
    seed: int = 0


class ClusterOut(Wire):
    """One cluster."""

    label: int
    size: int
    medoid: str = Field(description="Id of the image nearest to the centre.")
    spread: float = Field(description="Mean cosine distance of members to the centre.")


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
    diagnostics: dict[str, float | None]
    created_at: str
    seconds: float


class Clusterings(Wire):
    """All clusterings of a collection."""

    clusterings: list[ClusteringOut]


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
