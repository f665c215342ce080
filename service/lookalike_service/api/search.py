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
from lookalike_service.api.context import Context, Current
from lookalike_service.api.embed import UPLOAD_ERRORS
from lookalike_service.api.maps import map_out, stored_map
from lookalike_service.api.problems import documented, item_error, parse_json
from lookalike_service.api.responses import json_response
from lookalike_service.errors import (
    InvalidField,
    InvalidFilter,
    InvalidVector,
    LookalikeError,
    SpaceMismatch,
    StoreUnavailable,
    UnknownCollection,
    UnknownImage,
    UnknownModel,
    UnsupportedTarget,
    UnsupportedText,
    WrongDimension,
)
from lookalike_service.schemas import (
    Hit,
    HitExplanation,
    SearchExplain,
    SearchRequest,
    SearchResponse,
    TargetOptions,
)
from lookalike_service.store.protocol import Collection
from lookalike_service.store.protocol import Hit as StoredHit
from lookalike_service.workflows import search as workflow
from lookalike_service.workflows.explained_hits import Drawn, explain_search, recall_or_see
from lookalike_service.workflows.explained_hits import Query as AskedBy
from lookalike_service.workflows.explaining import Explainer

EXPLAINED_HITS = 50

router = APIRouter(prefix="/v1/collections/{collection}", tags=["search"])


class SearchQuery(BaseModel):
    """Options of a search by image; a JSON search carries them in its body."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(10, ge=1, le=1000)
    offset: int = Field(0, ge=0, le=100_000)
    score_threshold: float | None = Field(None, ge=-1, le=1)
    filter: str | None = Field(None, description="Qdrant filter as JSON.")
    explain: SearchExplain = "none"
    faithfulness: bool = Field(False, description="Judge each map; costs 32 embeddings a map.")


@router.post(
    "/search",
    summary="Find similar images",
    response_class=Response,
    responses=documented(
        *UPLOAD_ERRORS,
        UnknownCollection,
        UnknownImage,
        UnknownModel,
        UnsupportedText,
        SpaceMismatch,
        WrongDimension,
        InvalidVector,
        InvalidFilter,
        UnsupportedTarget,
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

    The query is an image (multipart part `image`, or the raw body), or JSON with `id`, `vector` or `text`.
    With `explain`, each hit carries the map of where it is like the query, made from its thumbnail unless the
    image itself was explained before, and the map of where the query is like it.
    """
    found = await workflow.collection(context.store, collection)
    if media_type(request) == "application/json":
        if request.query_params:
            raise InvalidField(
                "A JSON search carries its options in the body, not in the query string."
            )
        options = await read_json(request, SearchRequest)
        asked = await _of_json(context, found, options)
    else:
        options = SearchRequest(
            **query.model_dump(exclude={"filter"}),
            filter=parse_json("filter", query.filter) if query.filter is not None else None,
        )
        asked = await _of_image(request, context, found, options)
    if options.explain != "none" and options.limit > EXPLAINED_HITS:
        raise InvalidField(
            f"At most {EXPLAINED_HITS} hits are explained in a search; ask for a lower 'limit'."
        )
    hits = await workflow.nearest(context.store, found, asked.vector, options)
    if options.explain == "none":
        out = [workflow.hit_out(hit) for hit in hits]
    else:
        out = await _explained(context, found, asked, hits, judged=options.faithfulness)
    return json_response(SearchResponse(model=found.space.model, hits=out))


async def _of_json(context: Context, found: Collection, options: SearchRequest) -> AskedBy:
    """The query of a JSON search; an indexed image is explained from its thumbnail."""
    if sum(given is not None for given in (options.id, options.vector, options.text)) != 1:
        raise InvalidField("Give exactly one of 'id', 'vector' and 'text' (or post an image).")
    if options.text is not None:
        encoder = await context.encoder_for(found)
        return AskedBy((await context.embedder.embed_texts(encoder, [options.text]))[0])
    vector, hit = await workflow.query_of(context.store, found.name, options)
    if options.explain == "none" or hit is None:
        return AskedBy(vector)
    explainer = await _explainer(context, found)
    seen = (await recall_or_see(explainer, context.store, found.name, [hit]))[0]
    if isinstance(seen, LookalikeError):
        raise seen
    return AskedBy(vector, seen, hit.payload["width"], hit.payload["height"])


async def _of_image(
    request: Request, context: Context, found: Collection, options: SearchRequest
) -> AskedBy:
    """The query of a search by an image that is sent."""
    uploads = await read_images(request, context.settings, part="image")
    if len(uploads) > 1:
        raise InvalidField("One query image in a call.")
    if options.explain == "none":
        encoder = await context.encoder_for(found)
        plain = (await context.embedder.embed(encoder, [uploads[0].data]))[0]
        if isinstance(plain, LookalikeError):
            raise plain
        return AskedBy(plain.encoded.embedding)
    explainer = await _explainer(context, found)
    result = (await explainer.see([uploads[0].data]))[0]
    if isinstance(result, LookalikeError):
        raise result
    embedded, seen = result
    return AskedBy(embedded.encoded.embedding, seen, embedded.image.width, embedded.image.height)


async def _explainer(context: Context, found: Collection) -> Explainer:
    explainer = context.explainer(await context.encoder_for(found), "similarity", TargetOptions())
    explainer.check()
    return explainer


async def _explained(
    context: Context, found: Collection, asked: AskedBy, hits: list[StoredHit], *, judged: bool
) -> list[Hit]:
    explainer = await _explainer(context, found)
    encoder = explainer.encoder
    out = []
    for one, on_query in await explain_search(
        explainer, context.store, found.name, hits, asked, judged=judged
    ):
        explanation = HitExplanation(
            map=stored_map(one.drawn, encoder, one.hit.payload)
            if isinstance(one.drawn, Drawn)
            else None,
            query_map=on_query and map_out(on_query, encoder, asked.width, asked.height),
            error=item_error(one.drawn) if isinstance(one.drawn, LookalikeError) else None,
        )
        out.append(workflow.hit_out(one.hit, explanation))
    return out
