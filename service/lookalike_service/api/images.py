"""The images of a collection: index, browse, edit, delete."""

from __future__ import annotations

import asyncio
import base64
from typing import Annotated
from urllib.parse import unquote

from fastapi import Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from lookalike_service.api.bodies import (
    json_schema,
    multipart_schema,
    raw_image_schema,
)
from lookalike_service.api.context import Current
from lookalike_service.api.embed import UPLOAD_ERRORS
from lookalike_service.api.indexed_images import read_new_images
from lookalike_service.api.problems import documented, item_error, parse_json
from lookalike_service.api.responses import json_response
from lookalike_service.api.security import guarded_router, needs
from lookalike_service.api.sources import URL_ERRORS
from lookalike_service.errors import (
    InvalidField,
    InvalidFilter,
    InvalidRequest,
    LookalikeError,
    SpaceMismatch,
    StoreUnavailable,
    UnknownCollection,
    UnknownImage,
)
from lookalike_service.schemas.collections import (
    DeleteRequest,
    DeleteResponse,
    ImageOut,
    ImagePage,
    ImagePatch,
    IndexItem,
    IndexRequest,
    IndexResponse,
)
from lookalike_service.store.protocol import Record, point_id
from lookalike_service.workflows import images as workflow
from lookalike_service.workflows.ingest import Ingested, ingest

router = guarded_router(prefix="/v1/collections/{collection}/images", tags=["images"])


async def _decoded(id: str) -> str:
    """An id as the caller wrote it: the path is routed undecoded, so that ids may hold slashes."""
    return unquote(id)


IdInPath = Annotated[str, Depends(_decoded)]


@router.post(
    "",
    summary="Index images",
    response_class=Response,
    responses=documented(
        *UPLOAD_ERRORS,
        *URL_ERRORS,
        UnknownCollection,
        SpaceMismatch,
        StoreUnavailable,
        ok={200: {"model": IndexResponse}},
    ),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": multipart_schema(
                {"images": "Image files."},
                {
                    "ids": "JSON list of ids, one per image; default: the SHA-256 of the bytes.",
                    "metadata": "JSON list of objects, one per image.",
                    "sources": "JSON list of strings or nulls, one per image; default: the file names.",
                },
                many=True,
                needed=["images"],
            )
            | raw_image_schema()
            | json_schema(IndexRequest),
        }
    },
)
@needs("write")
async def index(collection: str, request: Request, context: Current) -> Response:
    """Embed and store each image; those stored already with the same bytes are not embedded again.

    In a batch an image that fails carries its error and the others are stored. A request of one image
    that fails is answered with that error.
    """
    await asyncio.to_thread(context.store.collection, collection)
    new = await read_new_images(request, context)
    whole = [one for one in new if not isinstance(one, LookalikeError)]
    done = iter(
        await ingest(context.store, context.embedder, context.encoders_for, collection, whole)
    )
    outcomes = [one if isinstance(one, LookalikeError) else next(done) for one in new]
    if len(outcomes) == 1 and isinstance(outcomes[0], LookalikeError):
        raise outcomes[0]
    for outcome in outcomes:
        if isinstance(outcome, LookalikeError):
            context.metrics.errors.labels(outcome.code).inc()
    return json_response(_summary(outcomes))


def _summary(outcomes: list[Ingested | LookalikeError]) -> IndexResponse:
    items = [
        IndexItem(index=i, error=item_error(outcome))
        if isinstance(outcome, LookalikeError)
        else IndexItem(index=i, id=outcome.id, status=outcome.status)
        for i, outcome in enumerate(outcomes)
    ]
    count = {
        s: sum(item.status == s for item in items) for s in ("created", "updated", "unchanged")
    }
    return IndexResponse(items=items, failed=sum(item.error is not None for item in items), **count)


class BrowseQuery(BaseModel):
    """Which images, and how many at once."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(100, ge=1, le=1000)
    cursor: str | None = None
    filter: str | None = Field(None, description="Qdrant filter as JSON.")


@router.get(
    "",
    response_model=ImagePage,
    responses=documented(
        UnknownCollection, InvalidField, InvalidFilter, InvalidRequest, StoreUnavailable
    ),
    summary="Browse images",
)
@needs("read")
async def browse(
    collection: str, query: Annotated[BrowseQuery, Query()], context: Current
) -> ImagePage:
    """A page of images, in a stable order."""
    records, cursor = await asyncio.to_thread(
        context.store.scroll,
        collection,
        filter=parse_json("filter", query.filter) if query.filter is not None else None,
        limit=query.limit,
        cursor=query.cursor,
    )
    return ImagePage(images=[_out(record) for record in records], cursor=cursor)


@router.post(
    "/delete",
    response_model=DeleteResponse,
    responses=documented(
        UnknownCollection, InvalidField, InvalidFilter, InvalidRequest, StoreUnavailable
    ),
    summary="Delete images by id or filter",
)
@needs("write")
async def delete_many(collection: str, body: DeleteRequest, context: Current) -> DeleteResponse:
    """Delete all that are named or match; how many there were."""
    if (body.ids is None) == (body.filter is None):
        raise InvalidField("Give exactly one of 'ids' and 'filter'.")
    if body.ids is not None:
        ids = [point_id(key) for key in body.ids]
        deleted = await asyncio.to_thread(context.store.delete, collection, ids)
    else:
        deleted = await asyncio.to_thread(
            context.store.delete_matching, collection, body.filter or {}
        )
    return DeleteResponse(deleted=deleted)


@router.get(
    "/{id}/thumbnail",
    response_class=Response,
    responses=documented(
        UnknownCollection,
        UnknownImage,
        StoreUnavailable,
        ok={
            200: {
                "content": {"image/jpeg": {}},
                "description": "JPEG, at most 192 pixels wide and high.",
            }
        },
    ),
    summary="A small picture of an image",
)
@needs("read")
async def thumbnail(collection: str, id: IdInPath, context: Current) -> Response:
    """The thumbnail that is kept of every image."""
    record = await asyncio.to_thread(workflow.get, context.store, collection, id, thumbnails=True)
    return Response(
        base64.b64decode(record.payload["thumbnail"]),
        media_type="image/jpeg",
        headers={"ETag": f'"{record.payload["sha256"]}"', "Cache-Control": "private, no-cache"},
    )


@router.get(
    "/{id}",
    response_model=ImageOut,
    responses=documented(UnknownCollection, UnknownImage, StoreUnavailable),
    summary="Describe an image",
)
@needs("read")
async def describe(collection: str, id: IdInPath, context: Current) -> ImageOut:
    """Its metadata, clusters and origin."""
    return _out(await asyncio.to_thread(workflow.get, context.store, collection, id))


@router.patch(
    "/{id}",
    response_model=ImageOut,
    responses=documented(
        UnknownCollection, UnknownImage, InvalidField, InvalidRequest, StoreUnavailable
    ),
    summary="Edit metadata",
)
@needs("write")
async def edit(collection: str, id: IdInPath, body: ImagePatch, context: Current) -> ImageOut:
    """Merge the given metadata keys; null removes one."""
    return _out(
        await asyncio.to_thread(
            workflow.merge_metadata, context.store, collection, id, body.metadata
        )
    )


@router.delete(
    "/{id}",
    status_code=204,
    responses=documented(UnknownCollection, UnknownImage, StoreUnavailable),
    summary="Delete an image",
)
@needs("write")
async def delete(collection: str, id: IdInPath, context: Current) -> None:
    """Delete one image."""
    await asyncio.to_thread(workflow.delete, context.store, collection, id)


def _out(record: Record) -> ImageOut:
    payload = record.payload
    return ImageOut(
        id=payload["key"],
        sha256=payload["sha256"],
        source=payload["source"],
        width=payload["width"],
        height=payload["height"],
        format=payload["format"],
        indexed_at=payload["indexed_at"],
        metadata=payload["metadata"],
        clusters=payload.get("clusters", {}),
        confidences=payload.get("confidences", {}),
    )
