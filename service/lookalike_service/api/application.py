"""The ASGI app: routes, errors, limits and the OpenAPI document."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from starlette.middleware import Middleware

from lookalike_service import __version__
from lookalike_service.api import (
    assignments,
    calibration,
    cluster_versions,
    clusterings,
    collections,
    comparisons,
    duplicates,
    embed,
    explain,
    exports,
    facets,
    health,
    images,
    jobs,
    migrations,
    openai,
    openapi,
    problems,
    projections,
    search,
    search_batch,
    trainings,
)
from lookalike_service.api.context import Context
from lookalike_service.api.metrics import Metrics
from lookalike_service.api.middleware import BodyLimit, Observed, RawPath
from lookalike_service.settings import Settings

OpenContext = Callable[[FastAPI], AbstractAsyncContextManager[Context]]


def create_app(open_context: OpenContext, settings: Settings, metrics: Metrics) -> FastAPI:
    """The app; `open_context` starts what it works with and stops it again."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_context(app) as context:
            app.state.context = context
            yield

    app = FastAPI(
        title="Lookalike",
        version=__version__,
        lifespan=lifespan,
        # FastAPI's documentation pages load scripts from another host.
        docs_url=None,
        redoc_url=None,
        middleware=[
            Middleware(RawPath),
            Middleware(Observed, metrics=metrics),
            Middleware(BodyLimit, max_bytes=settings.max_body_bytes),
        ],
    )
    app.state.metrics = metrics
    problems.install(app)
    for resource in (
        health, embed, openai, explain, collections, images, search,
        search_batch, facets, calibration, clusterings, cluster_versions, assignments, exports,
        projections, comparisons, duplicates,
        trainings, migrations, jobs
    ):  # fmt: skip
        app.include_router(resource.router)
    openapi.install(app)
    return app
