"""Nearest neighbours of an image, an indexed image or a vector."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np

from lookalike_service.schemas import Hit, HitExplanation, SearchRequest
from lookalike_service.store.protocol import Collection, Store, Vector
from lookalike_service.store.protocol import Hit as StoredHit
from lookalike_service.workflows.explained_hits import find_indexed


async def collection(store: Store, name: str) -> Collection:
    """The collection's description. Raises UnknownCollection."""
    return await asyncio.to_thread(store.collection, name)


async def query_of(
    store: Store, name: str, request: SearchRequest
) -> tuple[Vector, StoredHit | None]:
    """The vector that a JSON search asks for, and the indexed image it is of.

    Raises UnknownImage.
    """
    if request.vector is not None:
        return np.asarray(request.vector, np.float32), None
    hit, vector = await asyncio.to_thread(find_indexed, store, name, str(request.id))
    return vector, hit


async def nearest(
    store: Store, found: Collection, vector: Vector, request: SearchRequest
) -> list[StoredHit]:
    """The images nearest to a vector, float32 (dim,); the query's own id is left out."""
    return await asyncio.to_thread(
        store.query,
        found.name,
        vector,
        limit=request.limit,
        offset=request.offset,
        filter=_without_itself(request),
        score_threshold=request.score_threshold,
        vectors=request.explain != "none",
    )


def _without_itself(request: SearchRequest) -> dict[str, Any] | None:
    if request.id is None:
        return request.filter
    return {
        "must": [request.filter] if request.filter else [],
        "must_not": [{"has_id": [request.id]}],
    }


def hit_out(hit: StoredHit, explanation: HitExplanation | None = None) -> Hit:
    """A hit on the wire."""
    payload = hit.payload
    return Hit(
        id=payload["key"],
        score=hit.score,
        source=payload["source"],
        width=payload["width"],
        height=payload["height"],
        metadata=payload["metadata"],
        clusters=payload.get("clusters", {}),
        explanation=explanation,
    )
