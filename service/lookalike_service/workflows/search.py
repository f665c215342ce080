"""Nearest neighbours of an image, an indexed image or a vector."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np

from lookalike_service.errors import InvalidField, UnknownImage
from lookalike_service.schemas import Hit, SearchRequest, SearchResponse
from lookalike_service.store.protocol import Collection, Store, Vector, point_id


async def collection(store: Store, name: str) -> Collection:
    """The collection's description. Raises UnknownCollection."""
    return await asyncio.to_thread(store.collection, name)


async def by_request(store: Store, name: str, request: SearchRequest) -> SearchResponse:
    """Search by `id` or `vector`. Raises InvalidField unless exactly one is given, UnknownImage."""
    if (request.id is None) == (request.vector is None):
        raise InvalidField("Give exactly one of 'id' and 'vector' (or post an image).")
    found = await collection(store, name)
    if request.vector is not None:
        return await by_vector(store, found, np.asarray(request.vector, np.float32), request)
    records = await asyncio.to_thread(
        store.retrieve, name, [point_id(str(request.id))], vectors=True
    )
    if not records or records[0].vector is None:
        raise UnknownImage(f"No image '{request.id}' in collection '{name}'.")
    return await by_vector(store, found, records[0].vector, request)


async def by_vector(
    store: Store, found: Collection, vector: Vector, request: SearchRequest
) -> SearchResponse:
    """The images nearest to a vector, float32 (dim,); the query's own id is left out."""
    hits = await asyncio.to_thread(
        store.query,
        found.name,
        vector,
        limit=request.limit,
        offset=request.offset,
        filter=_without_itself(request),
        score_threshold=request.score_threshold,
    )
    return SearchResponse(
        model=found.space.model, hits=[_hit(hit.score, hit.payload) for hit in hits]
    )


def _without_itself(request: SearchRequest) -> dict[str, Any] | None:
    if request.id is None:
        return request.filter
    return {
        "must": [request.filter] if request.filter else [],
        "must_not": [{"has_id": [request.id]}],
    }


def _hit(score: float, payload: dict[str, Any]) -> Hit:
    return Hit(
        id=payload["key"],
        score=score,
        source=payload["source"],
        width=payload["width"],
        height=payload["height"],
        metadata=payload["metadata"],
        clusters=payload.get("clusters", {}),
    )
