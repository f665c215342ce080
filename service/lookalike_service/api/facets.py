"""How many images hold each value of a field."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, ConfigDict, Field

from lookalike_service.api.context import Current
from lookalike_service.api.problems import documented, parse_json
from lookalike_service.api.security import guarded_router, needs
from lookalike_service.errors import (
    InvalidField,
    InvalidFilter,
    MissingPart,
    StoreUnavailable,
    UnknownCollection,
)
from lookalike_service.schemas.search import Facets, FacetValue

router = guarded_router(prefix="/v1/collections/{collection}/facets", tags=["images"])


class FacetsQuery(BaseModel):
    """Which field, of which images."""

    model_config = ConfigDict(extra="forbid")

    field: str = Field(
        description="`clusters.NAME`, or a metadata field with a keyword, integer or bool index.",
        examples=["metadata.label"],
    )
    filter: str | None = Field(None, description="Qdrant filter as JSON.")
    limit: int = Field(100, ge=1, le=10_000, description="Values, the most frequent first.")


@router.get(
    "",
    response_model=Facets,
    responses=documented(
        UnknownCollection, InvalidField, InvalidFilter, MissingPart, StoreUnavailable
    ),
    summary="Count the values of a field",
)
@needs("read")
async def facets(
    collection: str, query: Annotated[FacetsQuery, Query()], context: Current
) -> Facets:
    """Each value with the number of images that hold it: exact, the most frequent first."""
    counts = await asyncio.to_thread(
        context.store.facets,
        collection,
        query.field,
        filter=None if query.filter is None else parse_json("filter", query.filter),
        limit=query.limit,
    )
    values = [FacetValue(value=value, count=count) for value, count in counts]
    return Facets(field=query.field, values=values)
