"""Embeddings of images, and maps that explain them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from lookalike.results.common import ItemError, Listing


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
