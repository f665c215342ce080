"""Nearest neighbours by image, id or vector."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from lookalike_service.api.bodies import (
    json_schema,
    media_type,
    multipart_schema,
    raw_image_schema,
    read_images,
    read_json,
)
from lookalike_service.api.context import Current
from lookalike_service.api.embed import UPLOAD_ERRORS, raise_if_alone
from lookalike_service.api.problems import documented, parse_json
from lookalike_service.api.responses import json_response
from lookalike_service.errors import (
    InvalidField,
    InvalidFilter,
    InvalidVector,
    SpaceMismatch,
    StoreUnavailable,
    UnknownCollection,
    UnknownImage,
    UnknownModel,
    WrongDimension,
)
from lookalike_service.schemas import SearchRequest, SearchResponse
from lookalike_service.workflows import search as workflow
from lookalike_service.workflows.embedding import Embedded

router = APIRouter(prefix="/v1/collections/{collection}", tags=["search"])


class SearchQuery(BaseModel):
    """Options of a search by image; a JSON search carries them in its body."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(10, ge=1, le=1000)
    offset: int = Field(0, ge=0, le=100_000)
    score_threshold: float | None = Field(None, ge=-1, le=1)
    filter: str | None = Field(None, description="Qdrant filter as JSON.")


@router.post(
    "/search",
    summary="Find similar images",
    response_class=Response,
    responses=documented(
        *UPLOAD_ERRORS,
        UnknownCollection,
        UnknownImage,
        UnknownModel,
        SpaceMismatch,
        WrongDimension,
        InvalidVector,
        InvalidFilter,
        StoreUnavailable,
        ok={200: {"model": SearchResponse}},
    ),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": multipart_schema({"image": "The query image."}, many=False, needed=["image"])
            | raw_image_schema()
            | json_schema(SearchRequest),
        }
    },
)
async def search(
    collection: str, request: Request, query: Annotated[SearchQuery, Query()], context: Current
) -> Response:
    """The most similar images of the collection, best first.

    The query is an image (multipart part `image`, or the raw body), or JSON with `id` or `vector`.
    """
    if media_type(request) == "application/json":
        if request.query_params:
            raise InvalidField(
                "A JSON search carries its options in the body, not in the query string."
            )
        wanted = await read_json(request, SearchRequest)
        return json_response(await workflow.by_request(context.store, collection, wanted))
    found = await workflow.collection(context.store, collection)
    uploads = await read_images(request, context.settings, part="image")
    if len(uploads) > 1:
        raise InvalidField("One query image in a call.")
    results = await context.embedder.embed(context.encoders.of(found), [uploads[0].data])
    raise_if_alone(results)
    vector = next(r.encoded.embedding for r in results if isinstance(r, Embedded))
    options = SearchRequest(
        limit=query.limit,
        offset=query.offset,
        score_threshold=query.score_threshold,
        filter=parse_json("filter", query.filter) if query.filter is not None else None,
    )
    return json_response(await workflow.by_vector(context.store, found, vector, options))
