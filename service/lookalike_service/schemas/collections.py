"""Collections and their images."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from lookalike_service.schemas.base import FilterJson, ImageId, Wire
from lookalike_service.schemas.embedding import EmbedImage
from lookalike_service.schemas.metadata import Metadata
from lookalike_service.schemas.problems import ItemError

FieldType = Literal["keyword", "integer", "float", "bool"]
MOST_DECLARED = 64
"""Indexes that a collection may be given: each takes the store time and memory."""


class CollectionRequest(Wire):
    """Settings of a new collection."""

    model: str | None = Field(None, description="Encoder; the service's default if absent.")
    distance: Literal["cosine"] = "cosine"
    indexes: dict[str, FieldType] = Field(
        default_factory=dict,
        max_length=MOST_DECLARED,
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
    unreadable: list[str] = Field(
        [], description="Collections that the store cannot open; describing one says why."
    )


class IndexImage(EmbedImage):
    """One image of a JSON request, and what to keep of it."""

    id: ImageId | None = Field(None, description="Default: the SHA-256 of the bytes.")
    metadata: Metadata | None = None
    source: str | None = Field(None, description="Default: the URL it was fetched from.")


class IndexRequest(Wire):
    """Images to index, as JSON."""

    images: Annotated[list[IndexImage], Field(fail_fast=True)] = Field(min_length=1)


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
    confidences: dict[str, float] = Field(
        {},
        description="How sure those clusterings are that were made before the image was indexed, 0 to 1; "
        "filter by `clusters.NAME@confidence`, 0 to 10,000.",
    )


class ImagePage(Wire):
    """A page of images; pass `cursor` on for the next, null at the end."""

    images: list[ImageOut]
    cursor: str | None


class ImagePatch(Wire):
    """Metadata to merge: null removes a key."""

    metadata: Metadata


class DeleteRequest(Wire):
    """Which images to delete: by id or by filter, one of the two."""

    ids: Annotated[list[ImageId], Field(fail_fast=True)] | None = None
    filter: FilterJson | None = None


class DeleteResponse(Wire):
    """How many images existed and are gone."""

    deleted: int
