"""Grad-CAM maps: what an embedding, or the likeness of two, comes from."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from lookalike_service.api.bodies import (
    Upload,
    is_raw_image,
    media_type,
    multipart_schema,
    raw_image_schema,
    read_form,
    required,
)
from lookalike_service.api.context import Context, Current
from lookalike_service.api.embed import UPLOAD_ERRORS
from lookalike_service.api.maps import map_out
from lookalike_service.api.problems import documented
from lookalike_service.api.responses import choose, json_response
from lookalike_service.encoders.protocol import Encoder
from lookalike_service.errors import (
    InvalidField,
    LookalikeError,
    MissingPart,
    NotAcceptable,
    UnknownModel,
    UnsupportedMediaType,
)
from lookalike_service.explain.gradcam import Heatmap, self_map, similarity_map
from lookalike_service.explain.overlay import overlay, side_by_side
from lookalike_service.schemas import ExplainResponse
from lookalike_service.workflows.embedding import Embedded

router = APIRouter(prefix="/v1", tags=["explanation"])


class ExplainQuery(BaseModel):
    """What to explain."""

    model_config = ConfigDict(extra="forbid")

    model: str | None = None
    target: Literal["self", "similarity"] | None = None
    """Defaults to `similarity` when there is a reference, else `self`."""


@router.post(
    "/explain",
    summary="Explain an embedding or a likeness",
    response_class=Response,
    responses=documented(
        *UPLOAD_ERRORS,
        UnknownModel,
        NotAcceptable,
        ok={
            200: {
                "model": ExplainResponse,
                "description": "Maps as grids, or as overlays with `Accept: image/png`.",
                "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
            }
        },
    ),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": multipart_schema(
                {"image": "The image to explain.", "reference": "The image it is compared with."},
                many=False,
                needed=["image"],
            )
            | raw_image_schema(),
        }
    },
)
async def explain(
    request: Request, query: Annotated[ExplainQuery, Query()], context: Current
) -> Response:
    """Grad-CAM on the embedding itself (`self`), or on its cosine with a reference (`similarity`)."""
    kind = choose(request, ["application/json", "image/png"])
    encoder = context.encoders.get(query.model)
    uploads = await _uploads(request, context)
    target = query.target or ("similarity" if len(uploads) > 1 else "self")
    if target == "similarity" and len(uploads) == 1:
        raise MissingPart(
            "Target 'similarity' compares with a second image: send it as part 'reference'."
        )
    if target == "self" and len(uploads) > 1:
        raise InvalidField(
            "Target 'self' takes no reference; leave it out, or ask for 'similarity'."
        )
    pair = await _embed(encoder, uploads, context, keep_rgb=kind == "image/png")
    maps = _maps(target, pair)
    if kind == "image/png":
        png = await asyncio.to_thread(_draw, encoder, pair, maps)
        return Response(png, media_type="image/png")
    return json_response(_answer(encoder, target, pair, maps))


async def _uploads(request: Request, context: Context) -> list[Upload]:
    kind = media_type(request)
    if is_raw_image(kind):
        return [Upload(await request.body())]
    if kind != "multipart/form-data":
        raise UnsupportedMediaType(
            f"Content-Type '{kind}' is not read here; send multipart/form-data with 'image' and "
            "'reference' parts, or one image as the body."
        )
    form = await read_form(request, context.settings, files=["image", "reference"])
    uploads = required(form, "image") + form.files.get("reference", [])
    if len(form.files["image"]) > 1 or len(uploads) > 2:
        raise InvalidField("One 'image' and at most one 'reference' in a call.")
    return uploads


async def _embed(
    encoder: Encoder, uploads: list[Upload], context: Context, *, keep_rgb: bool
) -> list[Embedded]:
    results = await context.embedder.embed(
        encoder, [upload.data for upload in uploads], features=True, keep_rgb=keep_rgb
    )
    pair = []
    for index, result in enumerate(results):
        if isinstance(result, LookalikeError):
            part = ("image", "reference")[index]
            raise type(result)(f"Part '{part}': {result.detail}", index=index)
        pair.append(result)
    return pair


def _maps(target: str, pair: list[Embedded]) -> list[Heatmap]:
    maps = [embedded.encoded.features for embedded in pair]
    features = [part for part in maps if part is not None]
    if target == "self":
        return [self_map(features[0])]
    image, reference = (embedded.encoded.embedding for embedded in pair)
    return [similarity_map(features[0], reference), similarity_map(features[1], image)]


def _similarity(pair: list[Embedded]) -> float | None:
    if len(pair) == 1:
        return None
    return float(pair[0].encoded.embedding @ pair[1].encoded.embedding)


def _answer(
    encoder: Encoder,
    target: Literal["self", "similarity"],
    pair: list[Embedded],
    maps: list[Heatmap],
) -> ExplainResponse:
    out = [map_out(m, encoder, e.image) for m, e in zip(maps, pair, strict=True)]
    return ExplainResponse(
        model=encoder.info.model,
        target=target,
        similarity=_similarity(pair),
        map=out[0],
        reference_map=out[1] if len(out) > 1 else None,
    )


def _draw(encoder: Encoder, pair: list[Embedded], maps: list[Heatmap]) -> bytes:
    panels = [
        (embedded.image.rgb, heatmap, encoder.region(embedded.image.width, embedded.image.height))
        for embedded, heatmap in zip(pair, maps, strict=True)
        if embedded.image.rgb is not None
    ]
    if len(panels) == 1:
        return overlay(*panels[0])
    alike = f"cosine {_similarity(pair):.3f}"
    return side_by_side(panels, [f"image, {alike}", "reference"])
