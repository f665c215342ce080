"""Collections: create, describe, drop."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated

import structlog
from fastapi import Path, Response

from lookalike_service.api.context import Context, Current
from lookalike_service.api.problems import documented
from lookalike_service.api.responses import json_response
from lookalike_service.api.security import guarded_router, needs
from lookalike_service.errors import (
    CollectionExists,
    Internal,
    InvalidField,
    InvalidRequest,
    StoreUnavailable,
    UnknownCollection,
    UnknownModel,
)
from lookalike_service.schemas.base import Name
from lookalike_service.schemas.collections import CollectionOut, CollectionRequest, Collections
from lookalike_service.store.protocol import Collection
from lookalike_service.workflows import collections as workflow
from lookalike_service.workflows import creation

log = structlog.get_logger(__name__)

router = guarded_router(prefix="/v1/collections", tags=["collections"])


@router.get(
    "",
    response_model=Collections,
    responses=documented(StoreUnavailable),
    summary="All collections",
)
@needs("read")
async def list_collections(context: Current) -> Collections:
    """Every collection, by name; those that cannot be opened by their names alone."""
    readable, unreadable = [], []
    for collection in await asyncio.to_thread(context.store.collections):
        try:
            readable.append(await _out(context, collection))
        except Internal as error:
            log.error("a collection cannot be read", collection=collection.name, error=error.detail)
            unreadable.append(collection.name)
    return Collections(collections=readable, unreadable=unreadable)


@router.put(
    "/{collection}",
    summary="Create a collection",
    response_class=Response,
    responses=documented(
        CollectionExists,
        UnknownModel,
        InvalidField,
        InvalidRequest,
        StoreUnavailable,
        ok={
            200: {"model": CollectionOut, "description": "It exists with these settings already."},
            201: {"model": CollectionOut, "description": "Created."},
        },
    ),
)
@needs("write")
async def create(
    collection: Annotated[Name, Path()], context: Current, body: CollectionRequest | None = None
) -> Response:
    """Create it, bound to the encoder's space; repeating the call is harmless."""
    request = body or CollectionRequest()
    encoder = await context.encoder(request.model)
    wanted = Collection(
        name=collection,
        space=encoder.info.space,
        created_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        indexes=creation.payload_indexes(request.indexes),
    )
    created = await asyncio.to_thread(creation.create, context.store, wanted)
    found = await asyncio.to_thread(context.store.collection, collection)
    return json_response(await _out(context, found), 201 if created else 200)


@router.get(
    "/{collection}",
    response_model=CollectionOut,
    responses=documented(UnknownCollection, StoreUnavailable),
    summary="Describe a collection",
)
@needs("read")
async def describe(collection: str, context: Current) -> CollectionOut:
    """Its encoder, space, size and indexes."""
    return await _out(context, await asyncio.to_thread(context.store.collection, collection))


@router.delete(
    "/{collection}",
    status_code=204,
    responses=documented(UnknownCollection, StoreUnavailable),
    summary="Drop a collection",
)
@needs("admin")
async def drop(collection: str, context: Current) -> None:
    """Delete the collection with its images, clusterings and projections."""
    await asyncio.to_thread(workflow.drop, context.store, collection)


async def _out(context: Context, collection: Collection) -> CollectionOut:
    space = collection.space
    return CollectionOut(
        name=collection.name,
        model=space.model,
        space=space.id,
        dim=space.dim,
        distance="cosine",
        points=await asyncio.to_thread(context.store.count, collection.name),
        indexes=dict(collection.indexes),
        fields={field: list(types) for field, types in collection.fields.items()},
        created_at=collection.created_at,
    )
