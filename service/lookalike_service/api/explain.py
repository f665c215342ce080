"""Maps of what in an image speaks for a target."""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from fastapi import Query, Request, Response
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from lookalike_service.api.bodies import (
    Upload,
    is_raw_image,
    media_type,
    multipart_schema,
    raw_image_schema,
    read_form,
    read_raw_image,
    required,
)
from lookalike_service.api.context import Context, Current
from lookalike_service.api.embed import UPLOAD_ERRORS
from lookalike_service.api.maps import TARGET_ERRORS, map_out
from lookalike_service.api.problems import documented, parse_json
from lookalike_service.api.responses import choose, json_response
from lookalike_service.api.security import guarded_router, needs
from lookalike_service.encoders.protocol import Encoder, Pixels
from lookalike_service.errors import (
    InvalidField,
    LookalikeError,
    MissingPart,
    NotAcceptable,
    UnsupportedMediaType,
)
from lookalike_service.explain.heatmap import Heatmap
from lookalike_service.explain.overlay import Panel, sheet
from lookalike_service.schemas.embedding import ExplainResponse, Target, TargetOptions
from lookalike_service.workflows.explained_hits import (
    Drawn,
    find_indexed,
    read_thumbnails,
    recall_or_see,
)
from lookalike_service.workflows.explaining import Explainer
from lookalike_service.workflows.seen import Seen
from lookalike_service.workflows.targets import (
    NO_REFERENCE,
    TARGETS,
    Aim,
    Question,
    check_options,
)

router = guarded_router(prefix="/v1", tags=["explanation"])


class ExplainQuery(TargetOptions):
    """What to explain, with which encoder."""

    model: str | None = None
    target: Target | None = None
    """Defaults to `similarity` when there is something to compare with, else `self`."""
    faithfulness: bool = True
    """Whether to judge each map against maps of noise, which embeds 32 images a map."""


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """An image to explain, and the size of its upright original; `rgb` where it is to be drawn."""

    seen: Seen
    width: int
    height: int
    rgb: Pixels | None


Explained = tuple[Side, Aim, Drawn]


@router.post(
    "/explain",
    summary="Explain an embedding, a likeness, a class, a component or a cluster",
    response_class=Response,
    responses=documented(
        *UPLOAD_ERRORS,
        *TARGET_ERRORS,
        NotAcceptable,
        ok={
            200: {
                "model": ExplainResponse,
                "description": "Maps as grids; as overlays with `Accept: image/png`; with `Accept: "
                "application/x-npy` as float32 (h, w), or (2, h, w) for two images, not scaled.",
                "content": {
                    "image/png": {"schema": {"type": "string", "format": "binary"}},
                    "application/x-npy": {"schema": {"type": "string", "format": "binary"}},
                },
            }
        },
    ),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": multipart_schema(
                {
                    "image": "The image to explain.",
                    "reference": "Target `similarity`: the image to compare with.",
                },
                {"vector": "Target `similarity`: the embedding to compare with, as a JSON list."},
                many=False,
                needed=["image"],
            )
            | raw_image_schema(),
        }
    },
)
@needs("read")
async def explain(
    request: Request, query: Annotated[ExplainQuery, Query()], context: Current
) -> Response:
    """Where in an image its embedding comes from, or what speaks for a likeness, class, component or cluster.

    Each map comes with a score of its faithfulness, unless that is switched off.
    """
    kind = choose(request, ["application/json", "image/png", "application/x-npy"])
    uploads, vector = await _parts(request, context)
    references = len(uploads) - 1 + (vector is not None) + (query.id is not None)
    target = query.target or ("similarity" if references else "self")
    encoder = await context.encoder_of(query.model, query.collection)
    options = TargetOptions.model_validate(
        query.model_dump(by_alias=True, exclude={"model", "target", "faithfulness"})
    )
    check_options(target, encoder, options)
    _check_references(target, references, options)
    explainer = context.explainer(encoder, target, options)
    explainer.check()
    sides = await _sides(explainer, uploads, drawn=kind == "image/png")
    if query.id is not None:
        stored, side = await _indexed(context, explainer, options, drawn=kind == "image/png")
        sides, vector = [*sides, side], stored
    elif len(sides) > 1:
        vector = sides[1].seen.encoded.embedding
    question = Question(encoder, context.store, options, vector)
    explained = await _explain(explainer, question, sides, judged=query.faithfulness)
    if kind == "image/png":
        png = await asyncio.to_thread(_draw, encoder, explained)
        return Response(png, media_type=kind)
    if kind == "application/x-npy":
        return Response(_npy([drawn.heatmap for _, _, drawn in explained]), media_type=kind)
    return json_response(_answer(explainer, explained))


async def _parts(
    request: Request, context: Context
) -> tuple[list[Upload], NDArray[np.float32] | None]:
    """The image and its reference, and the vector to compare with."""
    kind = media_type(request)
    if is_raw_image(kind):
        return [await read_raw_image(request)], None
    if kind != "multipart/form-data":
        raise UnsupportedMediaType(
            f"Content-Type '{kind}' is not read here; send multipart/form-data with 'image' and "
            "'reference' parts, or one image as the body."
        )
    form = await read_form(
        request, context.settings, files=["image", "reference"], fields=["vector"]
    )
    uploads = required(form, "image") + form.files.get("reference", [])
    if len(form.files["image"]) > 1 or len(uploads) > 2:
        raise InvalidField("One 'image' and at most one 'reference' in a call.")
    text = form.fields.get("vector")
    return uploads, None if text is None else _vector(text)


def _vector(text: str) -> NDArray[np.float32]:
    try:
        floats = TypeAdapter(list[float]).validate_python(parse_json("vector", text))
    except ValidationError as error:
        raise InvalidField("Part 'vector' must be a JSON list of numbers.") from error
    return np.asarray(floats, np.float32)


def _check_references(target: str, references: int, options: TargetOptions) -> None:
    if target != "similarity" and references:
        raise InvalidField(
            f"Target '{target}' takes no reference; leave it out, or ask for 'similarity'."
        )
    if target == "similarity" and references == 0:
        raise MissingPart(NO_REFERENCE)
    if references > 1:
        raise InvalidField("Compare with one of 'reference', 'vector' and 'id'.")
    if (options.id is None) != (options.collection is None) and target == "similarity":
        raise MissingPart("An indexed image is named by 'collection' and 'id', both.")


async def _sides(explainer: Explainer, uploads: list[Upload], *, drawn: bool) -> list[Side]:
    results = await explainer.see([upload.data for upload in uploads], keep_rgb=drawn)
    sides = []
    for index, result in enumerate(results):
        if isinstance(result, LookalikeError):
            part = ("image", "reference")[index]
            raise type(result)(f"Part '{part}': {result.detail}", index=index)
        embedded, seen = result
        image = embedded.image
        sides.append(Side(seen, image.width, image.height, image.rgb))
    return sides


async def _indexed(
    context: Context, explainer: Explainer, options: TargetOptions, *, drawn: bool
) -> tuple[NDArray[np.float32], Side]:
    """The vector of the indexed image to compare with, and the image itself or its thumbnail."""
    store, name = context.store, str(options.collection)
    hit, vector = await asyncio.to_thread(find_indexed, store, name, str(options.id))
    seen = (await recall_or_see(explainer, store, name, [hit]))[0]
    if isinstance(seen, LookalikeError):
        raise seen
    rgb = None
    if drawn:
        thumbnail = (await read_thumbnails(store, name, [hit]))[0]
        rgb = await asyncio.to_thread(context.embedder.picture, thumbnail)
    return vector, Side(seen, hit.payload["width"], hit.payload["height"], rgb)


async def _explain(
    explainer: Explainer, question: Question, sides: list[Side], *, judged: bool
) -> list[Explained]:
    """Each side's aim and map; the second one's is its likeness to the first."""
    questions = [question]
    if len(sides) > 1:
        questions.append(replace(question, reference=sides[0].seen.encoded.embedding))
    aim = TARGETS[explainer.target].aim
    aims = [await aim(q, side.seen) for q, side in zip(questions, sides, strict=True)]
    maps = await explainer.draw([side.seen for side in sides], aims)
    explained = []
    for side, one, heatmap in zip(sides, aims, maps, strict=True):
        faithfulness = await explainer.judge(side.seen, heatmap, one) if judged else None
        explained.append((side, one, Drawn(side.seen, heatmap, faithfulness)))
    return explained


def _answer(explainer: Explainer, explained: list[Explained]) -> ExplainResponse:
    encoder, aim = explainer.encoder, explained[0][1]
    maps = [map_out(drawn, encoder, side.width, side.height) for side, _, drawn in explained]
    return ExplainResponse.model_validate(
        {
            "model": encoder.info.model,
            "target": explainer.target,
            "method": explainer.options.method,
            "layer": explainer.layer,
            "value": aim.value,
            "about": aim.about,
            "similarity": aim.value if explainer.target == "similarity" else None,
            "map": maps[0],
            "reference_map": maps[1] if len(maps) > 1 else None,
        }
    )


def _npy(maps: list[Heatmap]) -> bytes:
    """The maps as they were before scaling."""
    rows = np.stack([heatmap.grid * np.float32(heatmap.peak) for heatmap in maps])
    buffer = io.BytesIO()
    np.save(buffer, rows[0] if len(rows) == 1 else rows, allow_pickle=False)
    return buffer.getvalue()


def _draw(encoder: Encoder, explained: list[Explained]) -> bytes:
    return sheet(
        [
            Panel(
                side.rgb,
                drawn.heatmap,
                encoder.region(side.rgb.shape[1], side.rgb.shape[0]),
                aim.caption,
                _verdict(drawn),
            )
            for side, aim, drawn in explained
            if side.rgb is not None
        ]
    )


def _verdict(drawn: Drawn) -> str:
    return "" if drawn.faithfulness is None else drawn.faithfulness.verdict
