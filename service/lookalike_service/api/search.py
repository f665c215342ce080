"""Similar images: by an image or a part of one, by indexed images, vectors or text."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Depends, Request, Response
from pydantic import Field

from lookalike_service.api.bodies import (
    charge,
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
from lookalike_service.api.queries import parameters, reader
from lookalike_service.api.responses import json_response
from lookalike_service.api.search_queries import ask, explainer_for
from lookalike_service.api.security import guarded_router, needs
from lookalike_service.api.sources import URL_ERRORS, load
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
from lookalike_service.schemas.embedding import Region
from lookalike_service.schemas.search import (
    HitExplanation,
    SearchOptions,
    SearchRequest,
    SearchResponse,
)
from lookalike_service.store.protocol import Collection
from lookalike_service.workflows.calibration import Scale, scale
from lookalike_service.workflows.explained_hits import Drawn, explain_search
from lookalike_service.workflows.explained_hits import Query as AskedBy
from lookalike_service.workflows.search import Found, find, hits_out
from lookalike_service.workflows.sought import Sought, check, looked_up

SEARCH_ERRORS = (
    UnknownCollection, UnknownImage, UnknownModel, UnsupportedText, SpaceMismatch, WrongDimension,
    InvalidVector, InvalidFilter, UnsupportedTarget, StoreUnavailable,
)  # fmt: skip

router = guarded_router(prefix="/v1/collections/{collection}", tags=["search"])


class SearchQuery(SearchOptions):
    """Options of a search by image; a JSON search carries them in its body."""

    filter: str | None = Field(None, description="Qdrant filter as JSON.")
    region: str | None = Field(
        None,
        description="Search by this part of the image: LEFT,TOP,WIDTH,HEIGHT in pixels of the upright image.",
        examples=["120,40,300,200"],
    )


@router.post(
    "/search",
    summary="Find similar images",
    response_class=Response,
    responses=documented(
        *UPLOAD_ERRORS, *URL_ERRORS, *SEARCH_ERRORS, ok={200: {"model": SearchResponse}}
    ),
    openapi_extra={
        "parameters": parameters(SearchQuery),
        "requestBody": {
            "required": True,
            "content": multipart_schema({"image": "The query image."}, many=False, needed=["image"])
            | raw_image_schema()
            | json_schema(SearchRequest),
        },
    },
)
@needs("read")
async def search(
    collection: str,
    request: Request,
    query: Annotated[SearchQuery, Depends(reader(SearchQuery))],
    context: Current,
) -> Response:
    """The most similar images of the collection, best first.

    The query is an image (multipart part `image`, or the raw body), or JSON with `id`, `vector`, `text` or
    examples, `positive` and `negative`. Once the collection is calibrated, each hit says how often an
    unrelated image scores as high. With `explain`, each hit carries the map of where it is like the query,
    made from its thumbnail unless the image itself was explained before, and the map of where the query is
    like it.
    """
    found = await asyncio.to_thread(context.store.collection, collection)
    options, image = await _read(request, query, context)
    check(options, image=image is not None and options.image is None)
    records = await asyncio.to_thread(looked_up, context.store, found.pinned, [options])
    asked = await ask(context, found, options, records, image=image)
    hits, judge = await asyncio.to_thread(_find, context, found, options, asked.sought)
    maps = None
    if options.explain != "none":
        by = asked.explained or AskedBy(asked.sought.vector)
        maps = await _explanations(context, found, by, hits, judged=options.faithfulness)
    return json_response(
        SearchResponse(
            model=found.space.model,
            made_from=asked.made_from,
            calibration=judge and judge.state,
            hits=hits_out(hits, judge, maps),
        )
    )


def _find(
    context: Context, found: Collection, options: SearchRequest, sought: Sought
) -> tuple[list[Found], Scale | None]:
    hits = find(context.store, found.pinned, options, sought)
    return hits, scale(context.store, found)


async def _read(
    request: Request, query: SearchQuery, context: Context
) -> tuple[SearchRequest, bytes | None]:
    """The search that is asked for, and the image that is sent with it."""
    if media_type(request) == "application/json":
        if request.query_params:
            raise InvalidField(
                "A JSON search carries its options in the body, not in the query string."
            )
        options = await read_json(request, SearchRequest)
        if options.image is None:
            return options, None
        charge(request, 1)
        (image,) = await load(request, [options.image])
        if isinstance(image, LookalikeError):
            raise image
        return options, image
    uploads = await read_images(request, context.settings, part="image")
    if len(uploads) > 1:
        raise InvalidField("One query image in a call.")
    options = SearchRequest(
        **query.model_dump(exclude={"filter", "region"}),
        filter=None if query.filter is None else parse_json("filter", query.filter),
        region=None if query.region is None else _region(query.region),
    )
    return options, uploads[0].data


def _region(text: str) -> Region:
    """LEFT,TOP,WIDTH,HEIGHT. Raises InvalidField."""
    try:
        left, top, width, height = (float(part) for part in text.split(","))
    except ValueError:
        raise InvalidField(
            f"'region' is LEFT,TOP,WIDTH,HEIGHT in pixels, such as 120,40,300,200; not {text!r:.80}."
        ) from None
    return Region(left=left, top=top, width=width, height=height)


async def _explanations(
    context: Context, found: Collection, asked: AskedBy, hits: list[Found], *, judged: bool
) -> list[HitExplanation]:
    explainer = await explainer_for(context, found)
    encoder, stored = explainer.encoder, [one.hit for one in hits]
    return [
        HitExplanation(
            map=stored_map(one.drawn, encoder, one.hit.payload)
            if isinstance(one.drawn, Drawn)
            else None,
            query_map=on_query
            and map_out(on_query, encoder, asked.width, asked.height, asked.region),
            error=item_error(one.drawn) if isinstance(one.drawn, LookalikeError) else None,
        )
        for one, on_query in await explain_search(
            explainer, context.store, found.name, stored, asked, judged=judged
        )
    ]
