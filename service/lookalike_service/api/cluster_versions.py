"""What is said about clusterings: names and descriptions; what became of one run's clusters in another."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from lookalike_service.api.context import Current
from lookalike_service.api.problems import documented
from lookalike_service.api.security import guarded_router, needs
from lookalike_service.errors import (
    InvalidField,
    InvalidParameters,
    InvalidRequest,
    MissingPart,
    Overloaded,
    SpaceMismatch,
    StoreUnavailable,
    UnknownCluster,
    UnknownClustering,
    UnknownCollection,
    UnknownModel,
    UnsupportedText,
    WeightsMissing,
)
from lookalike_service.schemas.cluster_versions import (
    ClusteringPatch,
    LineageOut,
    Naming,
    NamingRequest,
)
from lookalike_service.schemas.clusterings import ClusteringOut
from lookalike_service.workflows import clustering, lineage
from lookalike_service.workflows.cluster_naming import name_clusters
from lookalike_service.workflows.cluster_notes import annotate

router = guarded_router(prefix="/v1/collections/{collection}/clusterings", tags=["clusterings"])


@router.patch(
    "/{name}",
    response_model=ClusteringOut,
    responses=documented(
        UnknownCollection,
        UnknownClustering,
        UnknownCluster,
        InvalidField,
        InvalidRequest,
        StoreUnavailable,
    ),
    summary="Name and describe a clustering's clusters",
)
@needs("write")
async def describe(
    collection: str, name: str, body: ClusteringPatch, context: Current
) -> ClusteringOut:
    """Names and descriptions of clusters and of the whole; a run that replaces this one begins without."""
    run = await asyncio.to_thread(clustering.describe, context.store, collection, name)
    return await asyncio.to_thread(annotate, context.store, collection, run, body)


@router.post(
    "/{name}/names",
    response_model=Naming,
    responses=documented(
        UnknownCollection,
        UnknownClustering,
        UnknownModel,
        UnsupportedText,
        WeightsMissing,
        SpaceMismatch,
        InvalidField,
        InvalidRequest,
        Overloaded,
        StoreUnavailable,
    ),
    summary="Name clusters in words",
)
@needs("write")
async def names(collection: str, name: str, body: NamingRequest, context: Current) -> Naming:
    """Name each cluster by the word whose text embedding suits it best compared with the other clusters.

    For collections whose encoder embeds text too; others are answered with the encoders that do.
    """
    found = await asyncio.to_thread(context.store.collection, collection)
    encoder = await context.encoder_for(found)
    return await name_clusters(
        context.store, context.embedder, encoder, collection, name, request=body
    )


class LineageQuery(BaseModel):
    """What a clustering is compared with."""

    model_config = ConfigDict(extra="forbid")

    later: str = Field(description="The other clustering, made later or otherwise.")


@router.get(
    "/{name}/lineage",
    response_model=LineageOut,
    responses=documented(
        UnknownCollection,
        UnknownClustering,
        InvalidParameters,
        InvalidField,
        MissingPart,
        StoreUnavailable,
    ),
    summary="What became of a clustering's clusters in another",
)
@needs("read")
async def compare(
    collection: str, name: str, *, query: Annotated[LineageQuery, Query()], context: Current
) -> LineageOut:
    """Which cluster was kept, moved, merged or split, the table of overlaps, and the best matching.

    Of the images that both runs saw. `flows` are the bands of a flow diagram.
    """
    return await asyncio.to_thread(lineage.compare, context.store, collection, name, query.later)
