"""Comparisons of two sets of images: run as a job, read as figures or a page, drop."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from lookalike_service.api.context import Context, Current
from lookalike_service.api.maps import stored_map
from lookalike_service.api.problems import documented, item_error
from lookalike_service.api.responses import choose, json_response
from lookalike_service.api.security import guarded_router, needs
from lookalike_service.encoders.protocol import Encoder
from lookalike_service.errors import (
    InvalidField,
    InvalidFilter,
    InvalidParameters,
    InvalidRequest,
    LookalikeError,
    NotAcceptable,
    Overloaded,
    SpaceMismatch,
    StoreUnavailable,
    UnknownClustering,
    UnknownCollection,
    UnknownComparison,
    UnknownModel,
    UnsupportedTarget,
)
from lookalike_service.schemas.comparisons import (
    ComparedImage,
    ComparedImages,
    ComparisonOut,
    ComparisonRequest,
    Comparisons,
    Counterparts,
    Side,
)
from lookalike_service.schemas.embedding import TargetOptions
from lookalike_service.schemas.jobs import Job
from lookalike_service.workflows import comparison as workflow
from lookalike_service.workflows.compared_images import Compared, explain_typical
from lookalike_service.workflows.comparison_page import POLICY
from lookalike_service.workflows.comparison_report import NO_MAPS, write_page
from lookalike_service.workflows.explaining import Explainer

router = guarded_router(prefix="/v1/collections/{collection}", tags=["comparisons"])


@router.post(
    "/compare",
    status_code=202,
    response_model=Job,
    responses=documented(
        UnknownCollection,
        UnknownClustering,
        SpaceMismatch,
        InvalidParameters,
        InvalidField,
        InvalidFilter,
        InvalidRequest,
        StoreUnavailable,
    ),
    summary="Compare two sets of images",
)
@needs("write")
async def create(collection: str, body: ComparisonRequest, context: Current) -> Job:
    """Start a job that measures how different two sets are, and finds where and by what they differ."""
    parameters = await asyncio.to_thread(workflow.validate, context.store, collection, body)
    return await asyncio.to_thread(context.jobs.submit, "comparison", collection, parameters)


@router.get(
    "/comparisons",
    response_model=Comparisons,
    responses=documented(UnknownCollection, StoreUnavailable),
    summary="All comparisons",
)
@needs("read")
async def list_comparisons(collection: str, context: Current) -> Comparisons:
    """Every comparison of the collection, by name."""
    found = await asyncio.to_thread(workflow.list_runs, context.store, collection)
    return Comparisons(comparisons=found)


@router.get(
    "/comparisons/{name}",
    response_class=Response,
    responses=documented(
        UnknownCollection,
        UnknownComparison,
        Overloaded,
        NotAcceptable,
        StoreUnavailable,
        ok={
            200: {
                "model": ComparisonOut,
                "description": "As JSON, or with `Accept: text/html` a page with pictures in it.",
                "content": {"text/html": {"schema": {"type": "string"}}},
            }
        },
    ),
    summary="One comparison",
)
@needs("read")
async def get(request: Request, collection: str, name: str, context: Current) -> Response:
    """The figures with their confidence intervals, and the clusters that hold the difference."""
    kind = choose(request, ["application/json", "text/html"])
    if kind == "application/json":
        return json_response(await asyncio.to_thread(workflow.get, context.store, collection, name))
    await asyncio.to_thread(workflow.get, context.store, collection, name)
    explainer: Explainer | LookalikeError
    try:
        explainer = await _explainer(context, collection)
    except NO_MAPS as error:
        explainer = error
    page = await write_page(explainer, context.store, context.embedder, collection, name)
    return Response(page, media_type=kind, headers={"Content-Security-Policy": POLICY})


async def _explainer(context: Context, collection: str) -> Explainer:
    encoder = await context.encoder_of(None, collection)
    explainer = context.explainer(encoder, "similarity", TargetOptions())
    explainer.check()
    return explainer


class CounterpartsQuery(BaseModel):
    """Which images, and how many at once."""

    model_config = ConfigDict(extra="forbid")

    side: Side = Field("second", description="The set whose images are listed.")
    order: workflow.Order = Field(
        "farthest", description="`farthest`: those first that the other set has nothing like."
    )
    limit: int = Field(100, ge=1, le=1000)
    offset: int = Field(0, ge=0)


@router.get(
    "/comparisons/{name}/counterparts",
    response_model=Counterparts,
    responses=documented(UnknownCollection, UnknownComparison, InvalidField, StoreUnavailable),
    summary="The nearest image of the other set, for each",
)
@needs("read")
async def counterparts(
    collection: str, name: str, *, query: Annotated[CounterpartsQuery, Query()], context: Current
) -> Counterparts:
    """A page of the images of one set, each with its nearest counterpart."""
    return await asyncio.to_thread(
        workflow.counterparts,
        context.store,
        collection,
        name,
        side=query.side,
        order=query.order,
        limit=query.limit,
        offset=query.offset,
    )


class MapsQuery(BaseModel):
    """How many images to explain."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(6, ge=1, le=6, description="Images of each set.")


@router.get(
    "/comparisons/{name}/maps",
    response_model=ComparedImages,
    responses=documented(
        UnknownCollection,
        UnknownComparison,
        InvalidField,
        UnknownModel,
        SpaceMismatch,
        UnsupportedTarget,
        Overloaded,
        StoreUnavailable,
    ),
    summary="What in the images makes the difference",
)
@needs("read")
async def maps(
    collection: str, name: str, *, query: Annotated[MapsQuery, Query()], context: Current
) -> ComparedImages:
    """The most typical images of each set with heat maps of what speaks for their own set.

    The maps are along the direction between the means, made from thumbnails unless an image was explained
    before; `POST /v1/explain` with the target `comparison` explains any other image by it.
    """
    await asyncio.to_thread(workflow.get, context.store, collection, name)
    explainer = await _explainer(context, collection)
    found = await explain_typical(explainer, context.store, collection, name, count=query.limit)
    return ComparedImages(images=[_out(explainer.encoder, one) for one in found])


def _out(encoder: Encoder, one: Compared) -> ComparedImage:
    payload, drawn = one.explained.hit.payload, one.explained.drawn
    return ComparedImage(
        id=payload["key"],
        side=one.side,
        along=one.along,
        metadata=payload["metadata"],
        map=None if isinstance(drawn, LookalikeError) else stored_map(drawn, encoder, payload),
        error=item_error(drawn) if isinstance(drawn, LookalikeError) else None,
    )


@router.delete(
    "/comparisons/{name}",
    status_code=204,
    responses=documented(UnknownCollection, UnknownComparison, StoreUnavailable),
    summary="Drop a comparison",
)
@needs("write")
async def delete(collection: str, name: str, context: Current) -> None:
    """Remove the comparison; the images stay."""
    await asyncio.to_thread(workflow.delete, context.store, collection, name)
