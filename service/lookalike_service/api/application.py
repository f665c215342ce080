"""The ASGI app: routes, errors, limits and the OpenAPI document."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from functools import lru_cache

import structlog
from fastapi import FastAPI
from starlette.middleware import Middleware

from lookalike_service import __version__
from lookalike_service.access.exposure import warning
from lookalike_service.access.keyring import open_keyring
from lookalike_service.api import (
    algorithms,
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
    page,
    problems,
    projections,
    search,
    search_batch,
    trainings,
)
from lookalike_service.api.admission import Admission
from lookalike_service.api.collected import Collected
from lookalike_service.api.context import Context
from lookalike_service.api.entrance import Entrance
from lookalike_service.api.headers import cross_origin
from lookalike_service.api.reception import Bodies
from lookalike_service.api.security import Gate, check_guarded
from lookalike_service.api.shedding import Shedding
from lookalike_service.fetching.fetcher import Fetcher
from lookalike_service.settings import Settings
from lookalike_service.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)
_WAITING_THREADS = 64
"""Threads that wait for the store: asyncio has six on two processors, and one that hangs would take all."""
_CALLERS = 1024
"""Whose contexts are kept: making one takes longer than all else that a route asks for."""
OpenContext = Callable[[FastAPI], AbstractAsyncContextManager[Context]]


def create_app(open_context: OpenContext, settings: Settings, metrics: Metrics) -> FastAPI:
    """The app; `open_context` starts what it works with and stops it again.

    Raises InvalidField for API keys that cannot be read.
    """
    gate, bodies = Gate(open_keyring(settings), settings), Bodies(settings, metrics)
    admission = Admission(gate, bodies, settings)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if not gate.has_keys:
            log.warning(warning(settings))
        waiting = ThreadPoolExecutor(_WAITING_THREADS, thread_name_prefix="wait")
        asyncio.get_running_loop().set_default_executor(waiting)
        async with open_context(app) as context:
            app.state.context = context
            app.state.context_of = lru_cache(_CALLERS)(context.seen_by)
            collected = Collected(context)
            metrics.registry.register(collected)
            yield
            metrics.registry.unregister(collected)

    app = FastAPI(
        title="Lookalike",
        version=__version__,
        lifespan=lifespan,
        # FastAPI's documentation pages load scripts from another host.
        docs_url=None,
        redoc_url=None,
        # Requests are traced and counted by `Entrance`.
        telemetry={"tracing": False, "metrics": False, "logs": False},
        middleware=[
            *cross_origin(settings, has_keys=gate.has_keys),
            Middleware(Entrance, admission=admission, bodies=bodies, metrics=metrics),
        ],
    )
    app.state.metrics = metrics
    app.state.stopping = threading.Event()
    app.state.fetcher = Fetcher(settings)
    app.state.gate = gate
    app.state.shedding = Shedding(app, admission, settings, metrics)
    problems.install(app)
    # Routes are looked at in this order, so those that are called most come first.
    for resource in (
        embed, search, search_batch, images, health, algorithms, openai, explain, collections,
        facets, calibration, clusterings, cluster_versions, assignments, exports,
        projections, comparisons, duplicates,
        trainings, migrations, jobs, page,
    ):  # fmt: skip
        check_guarded(resource.router)
        # Not `include_router`, which looks at each resource's router in every request.
        app.router.routes.extend(resource.router.routes)
    openapi.install(app)
    return app
