"""Clusterings of a collection: run as a job, read, drop."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from lookalike_service.api.cluster_cards import card_out, draw_card
from lookalike_service.api.context import Current
from lookalike_service.api.problems import documented
from lookalike_service.api.responses import choose, json_response
from lookalike_service.api.security import guarded_router, needs
from lookalike_service.errors import (
    InvalidField,
    InvalidFilter,
    InvalidParameters,
    InvalidRequest,
    NotAcceptable,
    Overloaded,
    SpaceMismatch,
    StoreUnavailable,
    UnknownCluster,
    UnknownClustering,
    UnknownCollection,
    UnknownModel,
    UnsupportedTarget,
)
from lookalike_service.schemas.clusterings import (
    AgreementOut,
    ClusterCard,
    ClusteringOut,
    ClusteringRequest,
    Clusterings,
)
from lookalike_service.schemas.embedding import TargetOptions
from lookalike_service.schemas.jobs import Job
from lookalike_service.workflows import clustering as workflow
from lookalike_service.workflows.agreement import compare
from lookalike_service.workflows.cluster_cards import describe

router = guarded_router(prefix="/v1/collections/{collection}/clusterings", tags=["clusterings"])


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
    summary="Cluster the collection",
)
@needs("write")
async def create(collection: str, body: ClusteringRequest, context: Current) -> Job:
    """Start a job that clusters the images and writes their labels; hits then carry them."""
    parameters = await asyncio.to_thread(workflow.validate, context.store, collection, body)
    return await asyncio.to_thread(context.jobs.submit, "clustering", collection, parameters)


@router.get(
    "",
    response_model=Clusterings,
    responses=documented(UnknownCollection, StoreUnavailable),
    summary="All clusterings",
)
@needs("read")
async def list_clusterings(collection: str, context: Current) -> Clusterings:
    """Every clustering of the collection, by name."""
    found = await asyncio.to_thread(workflow.describe_all, context.store, collection)
    return Clusterings(clusterings=found)


@router.get(
    "/{name}",
    response_class=Response,
    responses=documented(
        UnknownCollection,
        UnknownClustering,
        InvalidParameters,
        NotAcceptable,
        StoreUnavailable,
        ok={
            200: {
                "model": ClusteringOut,
                "description": "As JSON, or with `Accept: image/png` a plot of how `k` was chosen.",
                "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
            }
        },
    ),
    summary="One clustering",
)
@needs("read")
async def get(request: Request, collection: str, name: str, context: Current) -> Response:
    """Its parameters, clusters with sizes, medoids, exemplars and outliers, and diagnostics.

    The plot is there for a clustering whose `k` was chosen from a range.
    """
    kind = choose(request, ["application/json", "image/png"])
    if kind == "image/png":
        png = await asyncio.to_thread(workflow.draw_sweep, context.store, collection, name)
        return Response(png, media_type=kind)
    found = await asyncio.to_thread(workflow.describe, context.store, collection, name)
    return json_response(found)


class AgreementQuery(BaseModel):
    """What a clustering is compared with."""

    model_config = ConfigDict(extra="forbid")

    field: str = Field(description="A field of the metadata.", examples=["metadata.label"])
    value: str | None = Field(None, description="Also find the clusters that hold this value.")
    precision_weight: float = Field(
        0.5, ge=0, le=1, description="Weight of precision in their quality; recall has the rest."
    )


@router.get(
    "/{name}/agreement",
    response_model=AgreementOut,
    responses=documented(
        UnknownCollection, UnknownClustering, InvalidField, InvalidParameters, StoreUnavailable
    ),
    summary="Compare a clustering with a metadata field",
)
@needs("read")
async def agreement(
    collection: str, name: str, *, query: Annotated[AgreementQuery, Query()], context: Current
) -> AgreementOut:
    """The confusion table, Rand index, mutual information, purity and more, and the best one-to-one matching.

    Also whether the field depends on the cluster at all, and with `value` the clusters that hold it.
    """
    return await asyncio.to_thread(
        compare,
        context.store,
        collection,
        name,
        query.field,
        value=query.value,
        precision_weight=query.precision_weight,
    )


class CardQuery(BaseModel):
    """How much of a cluster to show."""

    model_config = ConfigDict(extra="forbid")

    exemplars: int = Field(6, ge=1, le=24, description="Typical members to show.")


@router.get(
    "/{name}/clusters/{label}",
    response_class=Response,
    responses=documented(
        UnknownCollection,
        UnknownClustering,
        UnknownCluster,
        InvalidField,
        UnknownModel,
        SpaceMismatch,
        UnsupportedTarget,
        Overloaded,
        NotAcceptable,
        StoreUnavailable,
        ok={
            200: {
                "model": ClusterCard,
                "description": "As JSON, or drawn from thumbnails with `Accept: image/png`.",
                "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
            }
        },
    ),
    summary="What a cluster is about",
)
@needs("read")
async def card(
    request: Request,
    collection: str,
    name: str,
    label: int,
    *,
    query: Annotated[CardQuery, Query()],
    context: Current,
) -> Response:
    """Its medoid, its spread, and the members nearest to its centroid with maps of why here and not there.

    The maps are of the target `cluster`, made from thumbnails unless an image was explained before.
    """
    kind = choose(request, ["application/json", "image/png"])
    encoder = await context.encoder_of(None, collection)
    explainer = context.explainer(encoder, "cluster", TargetOptions())
    explainer.check()
    found = await describe(
        explainer, context.store, collection, name, label=label, count=query.exemplars
    )
    if kind == "image/png":
        png = await draw_card(context, encoder, collection, name, found)
        return Response(png, media_type=kind)
    return json_response(card_out(encoder, collection, name, found))


@router.delete(
    "/{name}",
    status_code=204,
    responses=documented(UnknownCollection, UnknownClustering, StoreUnavailable),
    summary="Drop a clustering",
)
@needs("write")
async def delete(collection: str, name: str, context: Current) -> None:
    """Remove the run and its labels from all images."""
    await asyncio.to_thread(workflow.delete, context.store, collection, name)
