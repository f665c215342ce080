"""Embedding images."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import Depends, Request, Response
from numpy.typing import NDArray

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
from lookalike_service.api.maps import TARGET_ERRORS, map_out
from lookalike_service.api.problems import documented, item_error
from lookalike_service.api.queries import parameters, reader
from lookalike_service.api.responses import choose, json_response
from lookalike_service.api.security import guarded_router, needs
from lookalike_service.api.sources import URL_ERRORS, in_place, load, loaded_alone
from lookalike_service.encoders.protocol import Encoder
from lookalike_service.errors import (
    BodyTooLarge,
    CorruptImage,
    EmptyImage,
    ImageTooLarge,
    InvalidField,
    InvalidRequest,
    LookalikeError,
    MissingPart,
    NotAcceptable,
    Overloaded,
    TooManyImages,
    TooManyPixels,
    TruncatedImage,
    UnsupportedImage,
    UnsupportedMediaType,
    UnsupportedText,
)
from lookalike_service.schemas.embedding import (
    EmbedRequest,
    EmbedResponse,
    Map,
    Target,
    TargetOptions,
)
from lookalike_service.workflows.embedding import Embedded
from lookalike_service.workflows.explained_hits import Drawn, find_indexed
from lookalike_service.workflows.explaining import Explainer
from lookalike_service.workflows.targets import TARGETS, Question, check_options

router = guarded_router(prefix="/v1", tags=["embedding"])

IMAGE_ERRORS = (
    EmptyImage,
    TruncatedImage,
    CorruptImage,
    UnsupportedImage,
    ImageTooLarge,
    TooManyPixels,
)
UPLOAD_ERRORS = (
    *IMAGE_ERRORS, InvalidRequest, InvalidField, MissingPart, UnsupportedMediaType, BodyTooLarge,
    TooManyImages, Overloaded,
)  # fmt: skip


class EmbedQuery(TargetOptions):
    """Which encoder, and what to explain."""

    model: str | None = None
    explain: Literal["none"] | Target = "none"
    """Target of a map for each image; takes the options of `/v1/explain`, and judges nothing."""


@router.post(
    "/embed",
    summary="Embed images and texts",
    response_class=Response,
    responses=documented(
        *UPLOAD_ERRORS,
        *TARGET_ERRORS,
        *URL_ERRORS,
        UnsupportedText,
        NotAcceptable,
        ok={
            200: {
                "model": EmbedResponse,
                "description": "Embeddings in the order of the images; with `Accept: application/x-npy` "
                "a float32 array (n, dim), if every image could be embedded.",
                "content": {
                    "application/x-npy": {"schema": {"type": "string", "format": "binary"}}
                },
            }
        },
    ),
    openapi_extra={
        "parameters": parameters(EmbedQuery),
        "requestBody": {
            "required": True,
            "content": multipart_schema({"images": "Image files."}, many=True, needed=["images"])
            | raw_image_schema()
            | json_schema(EmbedRequest),
        },
    },
)
@needs("read")
async def embed(
    request: Request, query: Annotated[EmbedQuery, Depends(reader(EmbedQuery))], context: Current
) -> Response:
    """Embed each image, and in JSON each text; an image that fails in a batch carries its error.

    A request of one image that fails is answered with that error.
    """
    kind = choose(request, ["application/json", "application/x-npy"])
    encoder = await context.encoder_of(query.model, query.collection)
    explain = None if query.explain == "none" else _explainer(context, encoder, query)
    given, texts = await _inputs(request, context)
    images = loaded_alone(given)
    maps: list[Map | None] = [None] * len(images)
    if explain is None:
        found = await context.embedder.embed(encoder, images)
    else:
        found, maps = await _explained(context, explain, images)
    results, drawn = in_place(given, found), iter(maps)
    if not texts:
        raise_if_alone(results)
    vectors = list(await context.embedder.embed_texts(encoder, texts)) if texts else []
    if kind == "application/x-npy":
        return _as_npy(results, vectors)
    items = [
        _item(i, result, None if isinstance(one, LookalikeError) else next(drawn), context)
        for i, (one, result) in enumerate(zip(given, results, strict=True))
    ]
    items += [{"index": len(given) + i, "embedding": v} for i, v in enumerate(vectors)]
    space = encoder.info.space
    return json_response(
        {"model": encoder.info.model, "space": space.id, "dim": space.dim, "items": items}
    )


def _explainer(context: Context, encoder: Encoder, query: EmbedQuery) -> Explainer:
    options = TargetOptions.model_validate(
        query.model_dump(by_alias=True, exclude={"model", "explain"})
    )
    check_options(query.explain, encoder, options)
    explainer = context.explainer(encoder, query.explain, options)
    explainer.check()
    return explainer


async def _explained(
    context: Context, explainer: Explainer, images: list[bytes]
) -> tuple[list[Embedded | LookalikeError], list[Map | None]]:
    """Each image's embedding and map."""
    options, reference = explainer.options, None
    if explainer.target == "similarity" and options.collection and options.id:
        _, reference = await asyncio.to_thread(
            find_indexed, context.store, options.collection, options.id
        )
    question = Question(explainer.encoder, context.store, options, reference)
    found = await explainer.see(images)
    good = [one for one in found if not isinstance(one, LookalikeError)]
    aim = TARGETS[explainer.target].aim
    seen = [one for _, one in good]
    heatmaps = await explainer.draw(seen, [await aim(question, one) for one in seen])
    drawn = (
        map_out(Drawn(one, heatmap), explainer.encoder, embedded.image.width, embedded.image.height)
        for (embedded, one), heatmap in zip(good, heatmaps, strict=True)
    )
    return (
        [one if isinstance(one, LookalikeError) else one[0] for one in found],
        [None if isinstance(one, LookalikeError) else next(drawn) for one in found],
    )


async def _inputs(
    request: Request, context: Context
) -> tuple[list[bytes | LookalikeError], list[str]]:
    """The images, and of a JSON request the texts."""
    if media_type(request) != "application/json":
        return [upload.data for upload in await read_images(request, context.settings)], []
    body = await read_json(request, EmbedRequest)
    count = len(body.images) + len(body.texts)
    if count == 0:
        raise MissingPart("Give at least one of 'images' and 'texts'.")
    if count > context.settings.max_images:
        raise TooManyImages(f"At most {context.settings.max_images} inputs in one request.")
    charge(request, count)
    return await load(request, body.images), body.texts


def raise_if_alone(results: list[Embedded | LookalikeError]) -> None:
    """A request of one image that fails is answered with its error."""
    if len(results) == 1 and isinstance(results[0], LookalikeError):
        raise results[0]


def _item(
    index: int, result: Embedded | LookalikeError, drawn: Map | None, context: Context
) -> dict[str, Any]:
    if isinstance(result, LookalikeError):
        context.metrics.errors.labels(result.code).inc()
        return {"index": index, "error": item_error(result).model_dump()}
    item: dict[str, Any] = {"index": index, "embedding": result.encoded.embedding}
    return item if drawn is None else {**item, "map": drawn.model_dump()}


def _as_npy(
    results: list[Embedded | LookalikeError], texts: Sequence[NDArray[np.float32]]
) -> Response:
    for index, result in enumerate(results):
        if isinstance(result, LookalikeError):
            # An array has no place for an error, and a row of zeros would pass for an embedding.
            raise type(result)(f"Image {index}: {result.detail}", index=index)
    buffer = io.BytesIO()
    rows = [result.encoded.embedding for result in results if isinstance(result, Embedded)]
    np.save(buffer, np.stack([*rows, *texts]), allow_pickle=False)
    return Response(buffer.getvalue(), media_type="application/x-npy")
