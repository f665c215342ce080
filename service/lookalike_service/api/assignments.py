"""New images among the clusters of an existing clustering."""

from __future__ import annotations

import asyncio

import numpy as np
from fastapi import APIRouter, Request

from lookalike_service.api.bodies import multipart_schema, raw_image_schema, read_images
from lookalike_service.api.context import Context, Current
from lookalike_service.api.embed import UPLOAD_ERRORS, raise_if_alone
from lookalike_service.api.problems import documented, item_error
from lookalike_service.errors import (
    LookalikeError,
    SpaceMismatch,
    StoreUnavailable,
    UnknownClustering,
    UnknownCollection,
)
from lookalike_service.schemas import AssignedItem, AssignResponse
from lookalike_service.workflows import clustering
from lookalike_service.workflows.assignment import assign
from lookalike_service.workflows.embedding import Embedded

router = APIRouter(prefix="/v1/collections/{collection}/clusterings", tags=["clusterings"])


@router.post(
    "/{name}/assign",
    response_model=AssignResponse,
    responses=documented(
        *UPLOAD_ERRORS, UnknownCollection, UnknownClustering, SpaceMismatch, StoreUnavailable
    ),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": multipart_schema({"images": "Image files."}, many=True, needed=["images"])
            | raw_image_schema(),
        }
    },
    summary="Find the clusters of new images",
)
async def assign_images(
    collection: str, name: str, request: Request, context: Current
) -> AssignResponse:
    """The cluster of each image with a confidence, independent of the others; nothing is stored."""
    found = await asyncio.to_thread(context.store.collection, collection)
    await asyncio.to_thread(clustering.get, context.store, collection, name)
    uploads = await read_images(request, context.settings)
    results = await context.embedder.embed(
        await context.encoder_for(found), [upload.data for upload in uploads]
    )
    raise_if_alone(results)
    assigned = await _assigned(context, collection, name, results)
    return AssignResponse(
        items=[
            AssignedItem(index=i, error=item_error(result))
            if isinstance(result, LookalikeError)
            else assigned[i]
            for i, result in enumerate(results)
        ]
    )


async def _assigned(
    context: Context, collection: str, name: str, results: list[Embedded | LookalikeError]
) -> dict[int, AssignedItem]:
    embedded = {i: r.encoded.embedding for i, r in enumerate(results) if isinstance(r, Embedded)}
    if not embedded:
        return {}
    vectors = np.stack(list(embedded.values()))
    labels, confidences = await asyncio.to_thread(assign, context.store, collection, name, vectors)
    return {
        i: AssignedItem(index=i, label=label, confidence=confidence)
        for i, label, confidence in zip(
            embedded, labels.tolist(), confidences.tolist(), strict=True
        )
    }
