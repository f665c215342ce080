"""Projections of a collection: run as a job, read as points or picture, place new images."""

from __future__ import annotations

import asyncio
from typing import Annotated

import numpy as np
from fastapi import Query, Request, Response
from fastapi.responses import StreamingResponse
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from lookalike_service.api.context import Current
from lookalike_service.api.embed import UPLOAD_ERRORS
from lookalike_service.api.new_images import IMAGES_BODY, of_each
from lookalike_service.api.problems import documented, item_error, parse_json
from lookalike_service.api.responses import choose, json_response
from lookalike_service.api.security import guarded_router, needs
from lookalike_service.errors import (
    InvalidField,
    InvalidFilter,
    InvalidParameters,
    InvalidRequest,
    LookalikeError,
    NotAcceptable,
    SpaceMismatch,
    StoreUnavailable,
    UnknownCollection,
    UnknownProjection,
)
from lookalike_service.schemas.jobs import Job
from lookalike_service.schemas.projections import (
    ProjectionPoints,
    ProjectionRequest,
    Projections,
    TransformItem,
    TransformResponse,
)
from lookalike_service.workflows import fitted_maps, map_drawing, map_points, map_table
from lookalike_service.workflows import projection as workflow
from lookalike_service.workflows.map_columns import FIELD

router = guarded_router(prefix="/v1/collections/{collection}/projections", tags=["projections"])


@router.post(
    "",
    status_code=202,
    response_model=Job,
    responses=documented(
        UnknownCollection,
        UnknownProjection,
        InvalidParameters,
        InvalidField,
        InvalidFilter,
        InvalidRequest,
        StoreUnavailable,
    ),
    summary="Project the collection",
)
@needs("write")
async def create(collection: str, body: ProjectionRequest, context: Current) -> Job:
    """Start a job that lays the images out in two or three dimensions."""
    parameters = await asyncio.to_thread(workflow.validate, context.store, collection, body)
    return await asyncio.to_thread(context.jobs.submit, "projection", collection, parameters)


@router.get(
    "",
    response_model=Projections,
    responses=documented(UnknownCollection, StoreUnavailable),
    summary="All projections",
)
@needs("read")
async def list_projections(collection: str, context: Current) -> Projections:
    """Every projection of the collection, by name."""
    found = await asyncio.to_thread(workflow.list_runs, context.store, collection)
    return Projections(projections=found)


PNG, SVG = "image/png", "image/svg+xml"
_FILE = {"schema": {"type": "string", "format": "binary"}}


class MapQuery(BaseModel):
    """How the map is drawn, and what is told of its points."""

    model_config = ConfigDict(extra="forbid")

    color: str | None = Field(
        None,
        description=(
            "Of a picture: colour the points by a field, `clusters.NAME` or `metadata.FIELD`, or by their "
            "`distortion`."
        ),
        pattern=rf"^distortion$|{FIELD}",
    )
    thumbnails: bool = Field(
        default=False, description="Of a PNG: draw the images themselves instead of points."
    )
    columns: str | None = Field(
        None,
        description="Of JSON and Arrow: fields beside the points, separated by commas.",
        examples=["clusters.kmeans,metadata.label"],
        pattern=r"^((clusters|metadata)\.[^,]+)(,(clusters|metadata)\.[^,]+)*$",
    )
    filter: str | None = Field(
        None, description="Of JSON and Arrow: the images that match alone. Qdrant filter as JSON."
    )


@router.get(
    "/{name}",
    response_class=Response,
    responses=documented(
        UnknownCollection,
        UnknownProjection,
        InvalidField,
        InvalidFilter,
        InvalidParameters,
        NotAcceptable,
        StoreUnavailable,
        ok={
            200: {
                "model": ProjectionPoints,
                "description": "The points as JSON or Arrow, or a plot of them as PNG or SVG.",
                "content": {PNG: _FILE, SVG: _FILE, map_table.MEDIA_TYPE: _FILE},
            }
        },
    ),
    summary="One projection",
)
@needs("read")
async def get(
    collection: str,
    name: str,
    request: Request,
    query: Annotated[MapQuery, Query()],
    context: Current,
) -> Response:
    """Its points as JSON or as an Arrow stream, or drawn; images indexed since are on it too."""
    kind = choose(request, ["application/json", PNG, SVG, map_table.MEDIA_TYPE])
    _check_options(kind, query)
    store, columns = context.store, query.columns.split(",") if query.columns else []
    filter = None if query.filter is None else parse_json("filter", query.filter)
    if kind == map_table.MEDIA_TYPE:
        parts = await asyncio.to_thread(map_table.stream, store, collection, name, columns, filter)
        return StreamingResponse(parts, media_type=kind)
    if kind == PNG and query.thumbnails:
        png = await asyncio.to_thread(map_drawing.draw_pictures, store, collection, name)
        return Response(png, media_type=PNG)
    if kind in (PNG, SVG):
        drawn = await asyncio.to_thread(
            map_drawing.draw, store, collection, name, query.color, "svg" if kind == SVG else "png"
        )
        return Response(drawn, media_type=kind)
    return json_response(
        await asyncio.to_thread(map_points.describe, store, collection, name, columns, filter)
    )


def _check_options(kind: str, query: MapQuery) -> None:
    """Raise InvalidField for an option that this media type does not have."""
    if query.color is not None and (kind not in (PNG, SVG) or query.thumbnails):
        raise InvalidField("'color' is for the picture: ask for it with Accept: image/png.")
    if query.thumbnails and kind != PNG:
        raise InvalidField(
            "'thumbnails' are drawn as PNG alone: ask for it with Accept: image/png."
        )
    if query.columns is not None and kind in (PNG, SVG):
        raise InvalidField("'columns' are for JSON and Arrow; a picture is coloured by 'color'.")
    if query.filter is not None and kind in (PNG, SVG):
        raise InvalidField("'filter' is for JSON and Arrow; a picture shows the whole map.")


@router.delete(
    "/{name}",
    status_code=204,
    responses=documented(UnknownCollection, UnknownProjection, StoreUnavailable),
    summary="Drop a projection",
)
@needs("write")
async def delete(collection: str, name: str, context: Current) -> None:
    """Remove the projection; the images stay."""
    await asyncio.to_thread(workflow.delete, context.store, collection, name)


@router.post(
    "/{name}/transform",
    response_model=TransformResponse,
    responses=documented(
        *UPLOAD_ERRORS,
        UnknownCollection,
        UnknownProjection,
        SpaceMismatch,
        InvalidParameters,
        StoreUnavailable,
    ),
    openapi_extra=IMAGES_BODY,
    summary="Place new images on the map",
)
@needs("read")
async def transform(
    collection: str, name: str, request: Request, context: Current
) -> TransformResponse:
    """Where images would lie on the existing projection, each independent of the others."""
    found = await asyncio.to_thread(context.store.collection, collection)
    await asyncio.to_thread(workflow.get, context.store, collection, name)

    def answer(vectors: NDArray[np.float32]) -> list[list[float]]:
        placed: list[list[float]] = fitted_maps.place(
            context.store, collection, name, vectors
        ).tolist()
        return placed

    answers = await of_each(request, context, found, answer)
    return TransformResponse(
        items=[
            TransformItem(index=i, error=item_error(one))
            if isinstance(one, LookalikeError)
            else TransformItem(index=i, coordinates=one)
            for i, one in enumerate(answers)
        ]
    )
