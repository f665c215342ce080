"""Projections and new images on them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from lookalike_service.schemas.base import FilterJson, Name, Wire
from lookalike_service.schemas.problems import ItemError


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
