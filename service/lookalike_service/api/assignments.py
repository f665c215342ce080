"""New images among the clusters of an existing clustering."""

from __future__ import annotations

import asyncio

import numpy as np
from fastapi import Request
from numpy.typing import NDArray

from lookalike_service.api.context import Current
from lookalike_service.api.embed import UPLOAD_ERRORS
from lookalike_service.api.new_images import IMAGES_BODY, of_each
from lookalike_service.api.problems import documented, item_error
from lookalike_service.api.security import guarded_router, needs
from lookalike_service.errors import (
    LookalikeError,
    SpaceMismatch,
    StoreUnavailable,
    UnknownClustering,
    UnknownCollection,
)
from lookalike_service.schemas.clusterings import AssignedItem, AssignResponse
from lookalike_service.workflows import clustering
from lookalike_service.workflows.assignment import assign

router = guarded_router(prefix="/v1/collections/{collection}/clusterings", tags=["clusterings"])


@router.post(
    "/{name}/assign",
    response_model=AssignResponse,
    responses=documented(
        *UPLOAD_ERRORS, UnknownCollection, UnknownClustering, SpaceMismatch, StoreUnavailable
    ),
    openapi_extra=IMAGES_BODY,
    summary="Find the clusters of new images",
)
@needs("read")
async def assign_images(
    collection: str, name: str, request: Request, context: Current
) -> AssignResponse:
    """The cluster of each image with a confidence, independent of the others; nothing is stored."""
    found = await asyncio.to_thread(context.store.collection, collection)
    await asyncio.to_thread(clustering.get, context.store, collection, name)

    def answer(vectors: NDArray[np.float32]) -> list[tuple[int, float]]:
        labels, confidences = assign(context.store, collection, name, vectors)
        return list(zip(labels.tolist(), confidences.tolist(), strict=True))

    answers = await of_each(request, context, found, answer)
    return AssignResponse(
        items=[
            AssignedItem(index=i, error=item_error(one))
            if isinstance(one, LookalikeError)
            else AssignedItem(index=i, label=one[0], confidence=one[1])
            for i, one in enumerate(answers)
        ]
    )
