"""Embedding images."""

from __future__ import annotations

import io
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from lookalike_service.api.bodies import (
    decode_base64,
    json_schema,
    media_type,
    multipart_schema,
    raw_image_schema,
    read_images,
    read_json,
)
from lookalike_service.api.context import Context, Current
from lookalike_service.api.maps import map_out
from lookalike_service.api.problems import documented, item_error
from lookalike_service.api.responses import choose, json_response
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
    UnknownModel,
    UnsupportedImage,
    UnsupportedMediaType,
)
from lookalike_service.explain.gradcam import self_map
from lookalike_service.schemas import EmbedRequest, EmbedResponse
from lookalike_service.workflows.embedding import Embedded

router = APIRouter(prefix="/v1", tags=["embedding"])

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


class EmbedQuery(BaseModel):
    """Which encoder, and whether to explain."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = None
    explain: Literal["none", "self"] = "none"


@router.post(
    "/embed",
    summary="Embed images",
    response_class=Response,
    responses=documented(
        *UPLOAD_ERRORS,
        UnknownModel,
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
        "requestBody": {
            "required": True,
            "content": multipart_schema({"images": "Image files."}, many=True, needed=["images"])
            | raw_image_schema()
            | json_schema(EmbedRequest),
        }
    },
)
async def embed(
    request: Request, query: Annotated[EmbedQuery, Query()], context: Current
) -> Response:
    """Embed each image; in a batch an image that fails carries its error and the others are served.

    A request of one image that fails is answered with that error.
    """
    kind = choose(request, ["application/json", "application/x-npy"])
    encoder = context.encoders.get(query.model)
    images = await _images(request, context)
    results = await context.embedder.embed(encoder, images, features=query.explain == "self")
    raise_if_alone(results)
    if kind == "application/x-npy":
        return _as_npy(results)
    items = [_item(i, result, query, context) for i, result in enumerate(results)]
    space = encoder.info.space
    return json_response(
        {"model": encoder.info.model, "space": space.id, "dim": space.dim, "items": items}
    )


async def _images(request: Request, context: Context) -> list[bytes]:
    if media_type(request) != "application/json":
        return [upload.data for upload in await read_images(request, context.settings)]
    body = await read_json(request, EmbedRequest)
    if len(body.images) > context.settings.max_images:
        raise TooManyImages(f"At most {context.settings.max_images} images in one request.")
    return [decode_base64(image.base64, i) for i, image in enumerate(body.images)]


def raise_if_alone(results: list[Embedded | LookalikeError]) -> None:
    """A request of one image that fails is answered with its error."""
    if len(results) == 1 and isinstance(results[0], LookalikeError):
        raise results[0]


def _item(
    index: int, result: Embedded | LookalikeError, query: EmbedQuery, context: Context
) -> dict[str, Any]:
    if isinstance(result, LookalikeError):
        context.metrics.errors.labels(result.code).inc()
        return {"index": index, "error": item_error(result).model_dump()}
    item: dict[str, Any] = {"index": index, "embedding": result.encoded.embedding}
    if query.explain == "self" and result.encoded.features is not None:
        encoder = context.encoders.get(query.model)
        item["map"] = map_out(self_map(result.encoded.features), encoder, result.image).model_dump()
    return item


def _as_npy(results: list[Embedded | LookalikeError]) -> Response:
    for index, result in enumerate(results):
        if isinstance(result, LookalikeError):
            # An array has no place for an error, and a row of zeros would pass for an embedding.
            raise type(result)(f"Image {index}: {result.detail}", index=index)
    buffer = io.BytesIO()
    rows = [result.encoded.embedding for result in results if isinstance(result, Embedded)]
    np.save(buffer, np.stack(rows), allow_pickle=False)
    return Response(buffer.getvalue(), media_type="application/x-npy")
