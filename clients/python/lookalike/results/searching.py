"""Hits of searches, what their scores mean, and values of fields."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from lookalike.results.common import ItemError, Listing
from lookalike.results.embedding import Map


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
