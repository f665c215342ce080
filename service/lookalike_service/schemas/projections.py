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
    method: str = Field("umap", examples=["umap", "pca", "tsne", "pacmap", "densmap"])
    dimensions: Literal[2, 3] = 2
    parameters: dict[str, Any] = Field(default_factory=dict, examples=[{"n_neighbors": 15}])
    reduction: str | None = Field(
        "auto",
        description=(
            "Fewer dimensions before the layout: `auto` (PCA to 50 where its neighbours are measured to "
            "be trustworthy), null, or one such as `pca:100`. PCA itself takes none."
        ),
    )
    align_to: Name | None = Field(
        None,
        description=(
            "A projection of as many dimensions, also the one that this replaces: images stay where they "
            "are on it as far as they can, and `diagnostics.moved` says how far they moved."
        ),
    )
    label_field: str | None = Field(
        None,
        pattern=r"^metadata\..+$",
        description="Labels by which the map is measured, and by which `supervised_umap` draws it.",
        examples=["metadata.label"],
    )
    filter: FilterJson | None = None
    seed: int = 0


class ProjectionOut(Wire):
    """A projection's description."""

    name: str
    method: str
    dimensions: int
    parameters: dict[str, Any]
    reduction: str | None = None
    align_to: str | None = None
    label_field: str | None = None
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
    """A projection with its points: `ids[i]` lies at `coordinates[i]`.

    `distortion[i]`: which share of its neighbours it has not near it on the map, null for one placed later;
    `later[i]`: whether it was placed on the map after that was made. `columns`: the fields asked for, a value
    for each point, null where it has none. `unplaced`: new images that have no place, since the collection
    was migrated. `explained_variance[i]`: of PCA, the share that the first i + 1 components hold.
    """

    ids: list[str]
    coordinates: list[list[float]]
    distortion: list[float | None]
    later: list[bool]
    columns: dict[str, list[Any]]
    unplaced: int
    explained_variance: list[float] | None


class TransformItem(Wire):
    """The place of one image, or why there is none."""

    index: int
    coordinates: list[float] | None = None
    error: ItemError | None = None


class TransformResponse(Wire):
    """Where new images fall on an existing projection."""

    items: list[TransformItem]
