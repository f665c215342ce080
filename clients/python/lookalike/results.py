"""What calls return: frozen records that mirror the service's JSON field by field."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

T = TypeVar("T")

FieldType = Literal["keyword", "integer", "float", "bool"]
JobState = Literal["queued", "running", "succeeded", "failed", "cancelled"]


class Listing(Generic[T]):
    """A result that is read like a list of its rows, with more fields beside them."""

    __slots__ = ()

    def _rows(self) -> list[T]:
        raise NotImplementedError

    def __iter__(self) -> Iterator[T]:
        return iter(self._rows())

    def __len__(self) -> int:
        return len(self._rows())

    def __getitem__(self, index: int) -> T:
        return self._rows()[index]


@dataclass(frozen=True, slots=True)
class ItemError:
    """Why one item of a batch has no result; `code` is one of the service's error codes."""

    code: str
    detail: str


# -- service


@dataclass(frozen=True, slots=True)
class Info:
    """What runs at the URL."""

    version: str
    model: str
    device: str
    dtype: str
    store: Literal["embedded", "qdrant"]


@dataclass(frozen=True, slots=True)
class Model:
    """An encoder: one that is `served`, or one that the service could be started with.

    What is None is known only once it is loaded. Only embeddings of equal `space` compare.
    """

    model: str
    served: bool = False
    loaded: bool = False
    """In memory; else its first request loads it."""
    default: bool = False
    weights: Literal["installed", "offline", "download"] | None = None
    """Come with the service, are on its machine, or are fetched on first use."""
    space: str | None = None
    dim: int | None = None
    input_size: list[int] | None = None
    """Height and width of what the encoder sees, in pixels."""
    text: bool | None = None
    license: str | None = None


@dataclass(frozen=True, slots=True)
class Readiness:
    """A canary image embeds and the store answers."""

    ready: bool
    encoder: str
    store: str


# -- embedding and explanation


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle in pixels of the upright image."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """Whether a map can be believed: what the target does when its hottest places are blurred.

    `deletion` and `insertion`: the mean target while they are blurred, or shown, first. `score`: insertion
    less deletion. `chance`: the largest score, up or down, of maps of noise on the same image. `verdict`:
    `faithful` if the score is more than twice that, `weak` if it is more, else `no better than chance`.
    """

    deletion: float
    insertion: float
    score: float
    chance: float
    verdict: Literal["faithful", "weak", "no better than chance"]


@dataclass(frozen=True, slots=True)
class Map:
    """A heat map: rows of values in [0, 1] over `region`."""

    grid: list[list[float]]
    region: Region
    """The part of the upright image that the encoder saw."""
    image_width: int
    image_height: int
    peak: float
    """Largest value before scaling."""
    empty: bool
    """Nothing in the image speaks for the target: the grid is all zeros."""
    made_from: Literal["image", "thumbnail"] = "image"
    """What was explained: the image as sent, or the thumbnail that is kept of it."""
    faithfulness: Faithfulness | None = None
    """None where it was not asked for, or the map is empty."""


@dataclass(frozen=True, slots=True)
class EmbedItem:
    """The embedding of one image (dim floats, unit L2 norm), or `error`."""

    index: int
    embedding: list[float] | None = None
    map: Map | None = None
    error: ItemError | None = None


@dataclass(frozen=True, slots=True)
class Embeddings(Listing[EmbedItem]):
    """Embeddings in the order of the images; iterates over `items`.

    `model`, `space` and `dim` are None if the only image failed: the service then names none.
    """

    items: list[EmbedItem]
    model: str | None = None
    space: str | None = None
    dim: int | None = None

    def _rows(self) -> list[EmbedItem]:
        return self.items


@dataclass(frozen=True, slots=True)
class Explanation:
    """What in an image speaks for the target."""

    model: str
    target: str
    map: Map
    method: str
    value: float
    """The target itself: a norm for `self`, a logit for `class`, a coordinate for `component`, a
    difference of cosines for `cluster`, else a cosine."""
    about: dict[str, Any]
    """What the target came to, such as the cluster it is told apart from."""
    layer: str | None = None
    """The layer explained; None for the last feature maps."""
    similarity: float | None = None
    """Cosine with the reference, -1 to 1."""
    reference_map: Map | None = None


# -- collections and images


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    """A collection: its encoder, its number of images, the fields it can be filtered by."""

    name: str
    model: str
    space: str
    dim: int
    distance: Literal["cosine"]
    points: int
    indexes: dict[str, FieldType]
    fields: dict[str, list[FieldType]]
    """Metadata fields that were ever written, with the types of their values."""
    created_at: str


@dataclass(frozen=True, slots=True)
class IndexItem:
    """What became of one image: `status`, or `error`."""

    index: int
    id: str | None = None
    status: Literal["created", "updated", "unchanged"] | None = None
    error: ItemError | None = None


@dataclass(frozen=True, slots=True)
class IndexResult(Listing[IndexItem]):
    """What became of each image, in order; iterates over `items`."""

    items: list[IndexItem]
    created: int
    updated: int
    unchanged: int
    failed: int

    def _rows(self) -> list[IndexItem]:
        return self.items


@dataclass(frozen=True, slots=True)
class IndexedImage:
    """An image of a collection; `clusters` maps clustering names to labels, -1 for noise."""

    id: str
    sha256: str
    source: str | None
    width: int
    height: int
    format: str
    indexed_at: str
    metadata: dict[str, Any]
    clusters: dict[str, int]


@dataclass(frozen=True, slots=True)
class ImagePage(Listing[IndexedImage]):
    """A page of images; `cursor` asks for the next, None at the end."""

    images: list[IndexedImage]
    cursor: str | None

    def _rows(self) -> list[IndexedImage]:
        return self.images


# -- search


@dataclass(frozen=True, slots=True)
class HitExplanation:
    """Why a hit is like the query: where the hit is (`map`), and where the query is (`query_map`).

    `query_map` is None if the query is no image; `error` says why there is no `map`.
    """

    map: Map | None = None
    query_map: Map | None = None
    error: ItemError | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A similar image; `score` is the cosine, -1 to 1."""

    id: str
    score: float
    source: str | None
    width: int
    height: int
    metadata: dict[str, Any]
    clusters: dict[str, int]
    group: str | int | bool | None = None
    """The value of `group_by` that it stands for."""
    chance: float | None = None
    """The share of pairs of unrelated images that score as high; None without a calibration."""
    expected: float | None = None
    """`chance` times the number of images: how many score as high without being related."""
    verdict: Literal["near_duplicate", "similar", "no_good_match"] | None = None
    explanation: HitExplanation | None = None
    """Where it was asked for."""


@dataclass(frozen=True, slots=True)
class CalibrationState:
    """What the hits' `chance` and `verdict` rest on; `points`: images that the collection held then.

    `stale`: it has since grown or shrunk by more than a fifth.
    """

    created_at: str
    points: int
    stale: bool


@dataclass(frozen=True, slots=True)
class SearchResult(Listing[Hit]):
    """Hits: best first, or group by group, or in the order of diverse choice; iterates over `hits`.

    `made_from`: what was embedded for the query, if anything was: the image as sent, or the thumbnail of an
    indexed one. `calibration`: None if the collection has none.
    """

    model: str
    hits: list[Hit]
    made_from: Literal["image", "thumbnail"] | None = None
    calibration: CalibrationState | None = None

    def _rows(self) -> list[Hit]:
        return self.hits


@dataclass(frozen=True, slots=True)
class SearchBatchItem:
    """The hits of one search of a batch, or `error`."""

    index: int
    made_from: Literal["image", "thumbnail"] | None = None
    hits: list[Hit] | None = None
    error: ItemError | None = None


@dataclass(frozen=True, slots=True)
class SearchBatch(Listing[SearchBatchItem]):
    """What became of each search, in order; iterates over `items`."""

    model: str
    items: list[SearchBatchItem]
    calibration: CalibrationState | None = None

    def _rows(self) -> list[SearchBatchItem]:
        return self.items


@dataclass(frozen=True, slots=True)
class FacetValue:
    """A value and how many images hold it."""

    value: str | int | bool
    count: int


@dataclass(frozen=True, slots=True)
class Facets(Listing[FacetValue]):
    """The values of a field, the most frequent first; iterates over `values`."""

    field: str
    values: list[FacetValue]

    def _rows(self) -> list[FacetValue]:
        return self.values


@dataclass(frozen=True, slots=True)
class Calibration(CalibrationState):
    """How cosines of unrelated images of a collection are distributed, and what scores mean by that.

    Of unrelated pairs, `share` score `threshold` or more; above, their excess follows a generalised Pareto
    distribution of this `scale` and `shape`. Hits are `similar` from that cosine on, and near duplicates from
    `near_duplicate` on, which is None if the encoder cannot tell altered copies from other images.
    """

    space: str
    images: int
    pairs: int
    threshold: float
    share: float
    scale: float
    shape: float
    quantiles: list[float]
    similar: float
    near_duplicate: float | None
    altered: int
    copies: int
    seed: int
    seconds: float


# -- jobs


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a job stands; `total` is None while it is not known."""

    stage: str
    done: int
    total: int | None = None


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job as it was when last asked for."""

    id: str
    kind: Literal["calibration", "clustering", "migration", "projection", "training"]
    collection: str
    state: JobState
    progress: Progress
    parameters: dict[str, Any]
    created_at: str
    result: dict[str, Any] | None = None
    error: ItemError | None = None
    started_at: str | None = None
    finished_at: str | None = None

    @property
    def finished(self) -> bool:
        """Whether it succeeded, failed or was cancelled."""
        return self.state in {"succeeded", "failed", "cancelled"}


# -- clusterings and projections


@dataclass(frozen=True, slots=True)
class Cluster:
    """One cluster; `medoid` is the id of the image nearest to its centre, None if it was deleted."""

    label: int
    size: int
    medoid: str | None
    spread: float
    """Mean cosine distance of members to the centre."""


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


@dataclass(frozen=True, slots=True)
class ProjectionPoints(Projection):
    """A projection with its points: `ids[i]` lies at `coordinates[i]` (2 or 3 floats)."""

    ids: list[str]
    coordinates: list[list[float]]


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


# -- trainings


@dataclass(frozen=True, slots=True)
class TrainingEpoch:
    """One pass over what is trained on; `held_out_loss` is None for a head."""

    epoch: int
    training_loss: float
    held_out_loss: float | None


@dataclass(frozen=True, slots=True)
class UnusedImage:
    """An image that played no part in a training, and why."""

    id: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Training:
    """A trained model; `model` is its encoder spec.

    `from_originals` counts the pictures that were read in full, the others being thumbnails; None for a head.
    `measures` of an autoencoder: `mse` over held-out pictures, and `mse_of_mean_picture` to compare it with;
    of a head: `recall_at_1` and `knn_accuracy` of held-out images, each `_before` and `_after`.
    """

    name: str
    kind: Literal["autoencoder", "head"]
    model: str
    parameters: dict[str, Any]
    points: int
    from_originals: int | None
    unused: int
    unused_images: list[UnusedImage]
    curve: list[TrainingEpoch]
    best_epoch: int
    stopped_early: bool
    resumed_after: int
    measures: dict[str, float]
    created_at: str
    seconds: float


# -- migrations


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
