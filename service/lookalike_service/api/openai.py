"""An embeddings call that speaks OpenAI's dialect, so that its clients work unchanged."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import Request, Response
from pydantic import BaseModel, ConfigDict, Field

from lookalike_service.api.bodies import charge, decode_base64
from lookalike_service.api.context import Current
from lookalike_service.api.embed import IMAGE_ERRORS
from lookalike_service.api.problems import documented
from lookalike_service.api.responses import json_response
from lookalike_service.api.security import guarded_router, needs
from lookalike_service.errors import (
    InvalidField,
    InvalidRequest,
    LookalikeError,
    MissingPart,
    Overloaded,
    TooManyImages,
    UnknownModel,
    UnsupportedText,
)
from lookalike_service.workflows.embedding import Embedded

router = guarded_router(prefix="/v1", tags=["embedding"])
Input = Annotated[str, Field(min_length=1, max_length=64 * 2**20)]


class EmbeddingsRequest(BaseModel):
    """OpenAI's request; an input is a text, or an image as `data:image/...;base64,...`."""

    # OpenAI's clients send more than is used here (`user`, `dimensions` as null).
    model_config = ConfigDict(extra="ignore")

    model: str | None = Field(None, description="Encoder; the default one if absent.")
    input: Input | Annotated[list[Input], Field(min_length=1, fail_fast=True)]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: None = Field(None, description="Shortened embeddings are not offered.")


class EmbeddingOut(BaseModel):
    """One embedding: numbers, or little-endian float32 in base64."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class Usage(BaseModel):
    """Always zero: nothing is billed here."""

    prompt_tokens: int = 0
    total_tokens: int = 0


class EmbeddingsResponse(BaseModel):
    """OpenAI's answer."""

    object: Literal["list"] = "list"
    data: list[EmbeddingOut]
    model: str
    usage: Usage


@router.post(
    "/embeddings",
    summary="Embed texts and images, as OpenAI's API does",
    response_class=Response,
    responses=documented(
        *IMAGE_ERRORS,
        InvalidRequest,
        InvalidField,
        MissingPart,
        TooManyImages,
        UnknownModel,
        UnsupportedText,
        Overloaded,
        ok={200: {"model": EmbeddingsResponse}},
    ),
)
@needs("read")
async def embeddings(request: Request, body: EmbeddingsRequest, context: Current) -> Response:
    """Embeddings in the order of the inputs; if one fails, the answer is its error, with its `index`."""
    inputs = [body.input] if isinstance(body.input, str) else body.input
    if len(inputs) > context.settings.max_images:
        raise TooManyImages(f"At most {context.settings.max_images} inputs in one request.")
    charge(request, len(inputs))
    encoder = await context.encoder(body.model)
    pictures = [i for i, text in enumerate(inputs) if text.startswith("data:")]
    texts = [i for i in range(len(inputs)) if i not in set(pictures)]
    images = [decode_base64(inputs[i], i) for i in pictures]
    vectors: dict[int, Any] = {}
    if texts:
        embedded = await context.embedder.embed_texts(encoder, [inputs[i] for i in texts])
        vectors |= dict(zip(texts, embedded, strict=True))
    results = await context.embedder.embed(encoder, images) if images else []
    vectors |= dict(zip(pictures, map(_vector, pictures, results), strict=True))
    data = [
        {"object": "embedding", "index": i, "embedding": _written(vectors[i], body.encoding_format)}
        for i in range(len(inputs))
    ]
    usage = {"prompt_tokens": 0, "total_tokens": 0}
    return json_response(
        {"object": "list", "data": data, "model": encoder.info.model, "usage": usage}
    )


def _vector(index: int, result: Embedded | LookalikeError) -> np.ndarray:
    if isinstance(result, LookalikeError):
        raise type(result)(f"Input {index}: {result.detail}", index=index)
    return result.encoded.embedding


def _written(vector: np.ndarray, encoding: str) -> Any:
    if encoding == "float":
        return vector
    return base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")
