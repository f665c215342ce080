"""Collections and their images."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from lookalike.results.common import ItemError, Listing

FieldType = Literal["keyword", "integer", "float", "bool"]


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
    """An image of a collection; `clusters` maps clustering names to labels, -1 for noise.

    `confidences`: how sure those clusterings are that were made before it was indexed, 0 to 1.
    """

    id: str
    sha256: str
    source: str | None
    width: int
    height: int
    format: str
    indexed_at: str
    metadata: dict[str, Any]
    clusters: dict[str, int]
    confidences: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ImagePage(Listing[IndexedImage]):
    """A page of images; `cursor` asks for the next, None at the end."""

    images: list[IndexedImage]
    cursor: str | None

    def _rows(self) -> list[IndexedImage]:
        return self.images
