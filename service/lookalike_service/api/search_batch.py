"""Many searches in one call."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from fastapi import Request, Response
from pydantic import ValidationError

from lookalike_service.api.bodies import json_schema, read_json
from lookalike_service.api.context import Context, Current
from lookalike_service.api.problems import documented, from_validation, item_error
from lookalike_service.api.responses import json_response
from lookalike_service.api.search import SEARCH_ERRORS
from lookalike_service.api.search_queries import Asked, ask
from lookalike_service.api.security import guarded_router, needs
from lookalike_service.errors import (
    BodyTooLarge,
    InvalidField,
    InvalidRequest,
    LookalikeError,
    MissingPart,
    Overloaded,
    Unavailable,
)
from lookalike_service.schemas.search import (
    SearchBatchItem,
    SearchBatchRequest,
    SearchBatchResponse,
    SearchRequest,
)
from lookalike_service.store.protocol import Collection, Record, Vector
from lookalike_service.workflows.calibration import Scale, scale
from lookalike_service.workflows.search import Found, find_each, hits_out
from lookalike_service.workflows.sought import check, looked_up

MOST_HITS = 10_000
"""That all searches of a batch together may ask for."""

router = guarded_router(prefix="/v1/collections/{collection}/search", tags=["search"])


@router.post(
    "/batch",
    summary="Many searches in one call",
    response_class=Response,
    responses=documented(
        *SEARCH_ERRORS,
        InvalidRequest,
        InvalidField,
        MissingPart,
        BodyTooLarge,
        Overloaded,
        ok={200: {"model": SearchBatchResponse}},
    ),
    openapi_extra={
        "requestBody": {"required": True, "content": json_schema(SearchBatchRequest)},
    },
)
@needs("read")
async def search_batch(collection: str, request: Request, context: Current) -> Response:
    """The hits of each search, in order; one that is wrong carries its error and the others are answered."""
    found = await asyncio.to_thread(context.store.collection, collection)
    body = await read_json(request, SearchBatchRequest)
    requests = [_request(given) for given in body.searches]
    good = [one for one in requests if not isinstance(one, LookalikeError)]
    hits = sum(one.limit * (one.group_size or 1) for one in good)
    if hits > MOST_HITS:
        raise InvalidField(
            f"The searches ask for {hits} hits together; at most {MOST_HITS} are answered in one call."
        )
    records = await asyncio.to_thread(looked_up, context.store, found.pinned, good)
    asked = iter(await _ask_each(context, found, good, records))
    outcomes = [one if isinstance(one, LookalikeError) else next(asked) for one in requests]
    answers = await asyncio.to_thread(_find, context, found, requests, outcomes)
    judge = await asyncio.to_thread(scale, context.store, found)
    for answer in answers:
        if isinstance(answer, LookalikeError):
            context.metrics.errors.labels(answer.code).inc()
    return json_response(
        SearchBatchResponse(
            model=found.space.model,
            calibration=judge and judge.state,
            items=[
                _item(i, outcome, answer, judge)
                for i, (outcome, answer) in enumerate(zip(outcomes, answers, strict=True))
            ],
        )
    )


def _request(given: Any) -> SearchRequest | LookalikeError:
    """One search as it was sent, checked, or what is wrong with it."""
    try:
        request = SearchRequest.model_validate(given)
        check(request)
    except ValidationError as error:
        return from_validation(error.errors())
    except InvalidField as error:
        return error
    if request.image is not None:
        return InvalidField(
            "Searches of a batch take no images: search by each in a call of its own."
        )
    if request.explain != "none":
        return InvalidField("Searches of a batch are not explained: leave 'explain' out.")
    return request


async def _ask_each(
    context: Context, found: Collection, requests: list[SearchRequest], records: dict[str, Record]
) -> list[Asked | LookalikeError]:
    """The query of each search, or why it has none."""
    texts = iter(await _embed_texts(context, found, [r.text for r in requests if r.text]))
    worded = [next(texts) if one.text else None for one in requests]
    return await asyncio.gather(
        *(
            _alone(context, found, one, records, vector)
            for one, vector in zip(requests, worded, strict=True)
        )
    )


async def _embed_texts(
    context: Context, found: Collection, texts: list[str]
) -> Sequence[Vector | LookalikeError]:
    """All texts in one pass, or the same error for each."""
    if not texts:
        return []
    try:
        return list(await context.embedder.embed_texts(await context.encoder_for(found), texts))
    except Unavailable:
        raise
    except LookalikeError as error:
        return [error] * len(texts)


async def _alone(
    context: Context,
    found: Collection,
    request: SearchRequest,
    records: dict[str, Record],
    worded: Vector | LookalikeError | None,
) -> Asked | LookalikeError:
    if isinstance(worded, LookalikeError):
        return worded
    try:
        return await ask(context, found, request, records, worded=worded)
    except Unavailable:
        raise
    except LookalikeError as error:
        return error


def _find(
    context: Context,
    found: Collection,
    requests: list[SearchRequest | LookalikeError],
    outcomes: list[Asked | LookalikeError],
) -> list[list[Found] | LookalikeError]:
    searches = [
        (request, asked.sought)
        for request, asked in zip(requests, outcomes, strict=True)
        if isinstance(request, SearchRequest) and isinstance(asked, Asked)
    ]
    hits = iter(find_each(context.store, found.pinned, searches))
    return [one if isinstance(one, LookalikeError) else next(hits) for one in outcomes]


def _item(
    index: int,
    asked: Asked | LookalikeError,
    answer: list[Found] | LookalikeError,
    judge: Scale | None,
) -> SearchBatchItem:
    if isinstance(asked, LookalikeError):
        return SearchBatchItem(index=index, error=item_error(asked))
    if isinstance(answer, LookalikeError):
        return SearchBatchItem(index=index, error=item_error(answer))
    return SearchBatchItem(index=index, made_from=asked.made_from, hits=hits_out(answer, judge))
