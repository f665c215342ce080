"""Projections of a collection: run as a job, read as points or picture, place new images."""

from __future__ import annotations

import asyncio
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from lookalike_service.api.context import Current
from lookalike_service.api.embed import UPLOAD_ERRORS
from lookalike_service.api.new_images import IMAGES_BODY, of_each
from lookalike_service.api.problems import documented, item_error
from lookalike_service.api.responses import choose, json_response
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
from lookalike_service.workflows import projection as workflow

router = APIRouter(prefix="/v1/collections/{collection}/projections", tags=["projections"])


@router.post(
    "",
    status_code=202,
    response_model=Job,
    responses=documented(
        UnknownCollection,
        InvalidParameters,
        InvalidField,
        InvalidFilter,
        InvalidRequest,
        StoreUnavailable,
    ),
    summary="Project the collection",
)
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
async def list_projections(collection: str, context: Current) -> Projections:
    """Every projection of the collection, by name."""
    found = await asyncio.to_thread(workflow.list_runs, context.store, collection)
    return Projections(projections=found)


class PictureQuery(BaseModel):
    """How the picture is drawn."""

    model_config = ConfigDict(extra="forbid")

    color: str | None = Field(
        None,
        description="Colour the points by a field: `clusters.NAME` or `metadata.FIELD`.",
        pattern=r"^(clusters|metadata)\..+$",
    )


@router.get(
    "/{name}",
    response_class=Response,
    responses=documented(
        UnknownCollection,
        UnknownProjection,
        InvalidField,
        NotAcceptable,
        StoreUnavailable,
        ok={
            200: {
                "model": ProjectionPoints,
                "description": "The points, or a plot of them with `Accept: image/png`.",
                "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
            }
        },
    ),
    summary="One projection",
)
async def get(
    collection: str,
    name: str,
    request: Request,
    query: Annotated[PictureQuery, Query()],
    context: Current,
) -> Response:
    """Its points as JSON, or drawn as PNG."""
    kind = choose(request, ["application/json", "image/png"])
    if kind == "image/png":
        png = await asyncio.to_thread(workflow.draw, context.store, collection, name, query.color)
        return Response(png, media_type="image/png")
    if query.color is not None:
        raise InvalidField("'color' is for the picture: ask for it with Accept: image/png.")
    return json_response(await asyncio.to_thread(workflow.points, context.store, collection, name))


@router.delete(
    "/{name}",
    status_code=204,
    responses=documented(UnknownCollection, UnknownProjection, StoreUnavailable),
    summary="Drop a projection",
)
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
async def transform(
    collection: str, name: str, request: Request, context: Current
) -> TransformResponse:
    """Where images would lie on the existing projection, each independent of the others."""
    found = await asyncio.to_thread(context.store.collection, collection)
    await asyncio.to_thread(workflow.get, context.store, collection, name)

    def answer(vectors: NDArray[np.float32]) -> list[list[float]]:
        placed: list[list[float]] = workflow.place(
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
