"""Liveness, readiness, metrics, and what runs here."""

from __future__ import annotations

import asyncio

from fastapi import Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from lookalike_service import __version__
from lookalike_service.api.context import Context, Current
from lookalike_service.api.problems import documented
from lookalike_service.api.security import guarded_router, needs, public
from lookalike_service.api.watching import readiness
from lookalike_service.encoders.availability import Available, available
from lookalike_service.encoders.protocol import Encoder
from lookalike_service.errors import NotReady
from lookalike_service.schemas.about import Access, Info, Model, Models, Readiness

router = guarded_router(tags=["service"])


@router.get("/livez", response_class=Response, summary="The process answers")
@public
async def livez() -> Response:
    """200 as long as the event loop runs."""
    return Response("ok\n", media_type="text/plain")


@router.get(
    "/readyz",
    response_model=Readiness,
    responses=documented(NotReady),
    summary="Requests will succeed",
)
@public
async def readyz(request: Request, context: Current) -> Readiness:
    """Embed a canary image through the batch queue and ask the store; 503 if either fails or it stops."""
    if request.app.state.stopping.is_set():
        raise NotReady("the service is stopping")
    encoder, store = await readiness(context)
    if encoder != "ok" or store != "ok":
        raise NotReady(f"encoder: {encoder}; store: {store}")
    return Readiness(ready=True, encoder=encoder, store=store)


@router.get("/metrics", response_class=Response, summary="Prometheus metrics")
@needs("read")
async def metrics(context: Current) -> Response:
    """The text exposition of all series."""
    text = await asyncio.to_thread(context.metrics.render)
    return Response(text, media_type=CONTENT_TYPE_LATEST)


@router.get("/v1/info", response_model=Info, summary="What runs here")
@needs("read")
async def info(context: Current) -> Info:
    """Version, default encoder, device and store, and what the caller may do."""
    encoder = (await context.encoder(None)).info
    return Info(
        version=__version__,
        model=encoder.model,
        device=encoder.device,
        dtype=encoder.dtype,
        store="embedded" if context.store.kind == "embedded" else "qdrant",
        access=Access(
            keys=context.holder.has_key,
            role=context.holder.role,
            collections=context.holder.collections,
        ),
    )


@router.get("/v1/models", response_model=Models, summary="The encoders that are served, and others")
@needs("read")
async def models(context: Current) -> Models:
    """The encoders that this service offers, then those of the catalogue that it could be started with."""
    rows = {found.row.spec: found for found in available(context.settings)}
    served = [
        _loaded(encoder, context) if encoder else _offered(spec, rows.get(spec), context)
        for spec, encoder in context.encoders
        if context.shows(spec)
    ]
    names = {model.model for model in served}
    others = [_catalogued(found) for spec, found in rows.items() if spec not in names]
    return Models(models=served + others)


def _loaded(encoder: Encoder, context: Context) -> Model:
    info = encoder.info
    return Model(
        model=info.model,
        served=True,
        loaded=True,
        weights="installed",
        space=info.space.id,
        dim=info.space.dim,
        input_size=info.input_size,
        text=info.text,
        license=info.license,
        default=info.model == context.encoders.default,
    )


def _offered(spec: str, found: Available | None, context: Context) -> Model:
    """An encoder that loads on first use; what is not in the catalogue is known only then."""
    known = _catalogued(found) if found else Model(model=spec)
    return known.model_copy(update={"served": True, "default": spec == context.encoders.default})


def _catalogued(found: Available) -> Model:
    row = found.row
    return Model(
        model=row.spec,
        weights=found.state,
        dim=row.dim,
        input_size=row.size,
        text=row.text,
        license=row.license,
    )
