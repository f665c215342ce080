"""Search, by one query or many, and facets."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SkipValidation, StringConstraints

from lookalike_service.schemas.base import FilterJson, ImageId, Wire
from lookalike_service.schemas.calibration import CalibrationState, Verdict
from lookalike_service.schemas.embedding import EmbedImage, Map, Region
from lookalike_service.schemas.problems import ItemError

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


Numbers = Annotated[list[float], Field(fail_fast=True)]
Example = ImageId | Numbers


class SearchRequest(SearchOptions):
    """A query as JSON: exactly one of `image`, `id`, `vector`, `text` and `positive`."""

    image: EmbedImage | None = Field(
        None, description="An image to embed; not in a batch of searches."
    )
    id: ImageId | None = Field(None, description="An indexed image; it is left out of the hits.")
    vector: Numbers | None = None
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
