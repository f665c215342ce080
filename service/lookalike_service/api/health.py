"""Liveness, readiness, metrics, and what runs here."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST

from lookalike_service import __version__
from lookalike_service.api.context import Current
from lookalike_service.api.problems import documented
from lookalike_service.encoders.protocol import Encoder
from lookalike_service.errors import LookalikeError, NotReady
from lookalike_service.schemas import Info, Model, Models, Readiness

router = APIRouter(tags=["service"])
_CANARY_SECONDS = 10.0


@router.get("/livez", response_class=Response, summary="The process answers")
async def livez() -> Response:
    """200 as long as the event loop runs."""
    return Response("ok\n", media_type="text/plain")


@router.get(
    "/readyz",
    response_model=Readiness,
    responses=documented(NotReady),
    summary="Requests will succeed",
)
async def readyz(context: Current) -> Readiness:
    """Embed a canary image through the batch queue and ask the store; 503 if either fails."""
    encoder, store = await asyncio.gather(
        context.embedder.canary(context.encoders.default, _CANARY_SECONDS),
        asyncio.to_thread(_store_state, context),
    )
    if encoder != "ok" or store != "ok":
        raise NotReady(f"encoder: {encoder}; store: {store}")
    return Readiness(ready=True, encoder=encoder, store=store)


def _store_state(context: Current) -> str:
    try:
        context.store.check()
    except LookalikeError as error:
        return error.detail
    return "ok"


@router.get("/metrics", response_class=Response, summary="Prometheus metrics")
async def metrics(context: Current) -> Response:
    """The text exposition of all series."""
    context.metrics.in_flight.set(context.embedder.in_flight)
    return Response(context.metrics.render(), media_type=CONTENT_TYPE_LATEST)


@router.get("/v1/info", response_model=Info, summary="What runs here")
async def info(context: Current) -> Info:
    """Version, default encoder, device and store."""
    encoder = context.encoders.default.info
    return Info(
        version=__version__,
        model=encoder.model,
        device=encoder.device,
        dtype=encoder.dtype,
        store="embedded" if context.store.kind == "embedded" else "qdrant",
    )


@router.get("/v1/models", response_model=Models, summary="The encoders that are served")
async def models(context: Current) -> Models:
    """Every encoder with its dimension, input size and licence."""
    return Models(models=[_model(encoder, context) for encoder in context.encoders])


def _model(encoder: Encoder, context: Current) -> Model:
    info = encoder.info
    return Model(
        model=info.model,
        space=info.space.id,
        dim=info.space.dim,
        input_size=info.input_size,
        text=info.text,
        license=info.license,
        default=encoder is context.encoders.default,
    )
