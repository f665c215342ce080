"""BentoML wiring: our routes in front, BentoML's adaptive batching behind them, in one process.

The public routes are an ASGI app of our own (`api/`). Each decoded image is handed to BentoML's batch
dispatcher in process, as an object: nothing is serialised, and BentoML's HTTP layer is not involved.
That uses private names of BentoML (`ServiceAppFactory` here, the dispatcher in `dispatcher.py`): its version
is pinned exactly, and tests/contract/test_bentoml.py holds it to what is needed.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import anyio
import bentoml
import numpy as np
import structlog
from _bentoml_impl.server.app import ServiceAppFactory
from _bentoml_sdk.service import Service
from fastapi import FastAPI

from lookalike_service import __version__, logs
from lookalike_service.api.application import create_app
from lookalike_service.api.context import Context
from lookalike_service.api.watching import watch
from lookalike_service.dispatcher import Batching, Dispatcher
from lookalike_service.encoders.batch import EncodeItem, Outcome
from lookalike_service.encoders.observed_batch import encode_observed
from lookalike_service.encoders.plans.process import tune_process
from lookalike_service.encoders.protocol import Encoder
from lookalike_service.encoders.registry import load_encoder
from lookalike_service.encoders.served import ServedEncoders
from lookalike_service.errors import Overloaded
from lookalike_service.jobs.runner import JobRunner
from lookalike_service.settings import get_settings
from lookalike_service.store.factory import open_store
from lookalike_service.store.observed import observed
from lookalike_service.telemetry import tracing
from lookalike_service.telemetry.metrics import Metrics
from lookalike_service.training.models_folder import ModelsFolder
from lookalike_service.workflows.embedding import Embedder
from lookalike_service.workflows.job_embedding import JobEmbedding
from lookalike_service.workflows.kinds import job_kinds

log = structlog.get_logger(__name__)
settings = get_settings()
metrics = Metrics()

_IDLE_CHECK_SECONDS = 30.0


class InProcessFactory(ServiceAppFactory):  # type: ignore[misc] # BentoML's classes are untyped
    """Builds the ASGI app: our routes alone, sharing BentoML's lifespan and dispatcher."""

    def __init__(self, service: Any, *, is_main: bool) -> None:
        super().__init__(service, is_main=is_main, enable_metrics=False)
        self.dispatchers["encode"] = Dispatcher(settings.max_batch_size)

    def __call__(self) -> FastAPI:
        """The app that uvicorn runs."""
        logs.configure(settings.log_format, secrets=settings.secrets)
        return create_app(self.open_context, settings, metrics)

    @contextlib.asynccontextmanager
    async def open_context(self, app: FastAPI) -> AsyncIterator[Context]:
        """Start encoder, store, jobs and the batch dispatcher; stop them in reverse."""
        # Again, for `bentoml serve`, which sets up logging of its own.
        logs.configure(settings.log_format, secrets=settings.secrets)
        async with contextlib.AsyncExitStack() as stack:
            if settings.traces:
                tracing.configure(__version__)
                stack.push_async_callback(asyncio.to_thread, tracing.shut_down)
            # First, as it fails at once where another process has the folder.
            store = observed(await asyncio.to_thread(open_store, settings), metrics)
            stack.push_async_callback(asyncio.to_thread, store.close)
            await stack.enter_async_context(super().lifespan(app))
            service: Lookalike = self._service_instance
            for model in (None, *settings.preload):
                await asyncio.to_thread(service.encoders.get, model)
            embedder = Embedder(settings, self.infer, metrics)
            stack.callback(embedder.close)
            stack.callback(self.stop_dispatchers)
            embedding = JobEmbedding(embedder, service.encoders, asyncio.get_running_loop())
            jobs = JobRunner(store, job_kinds(embedding), settings, metrics)
            await asyncio.to_thread(jobs.start)
            stack.push_async_callback(asyncio.to_thread, jobs.stop)
            context = Context(settings, service.encoders, embedder, store, jobs, metrics)
            default = service.encoders.get()
            await self.warm_up(default)
            self.fit_batching(default, embedder)
            idle = asyncio.create_task(_unload_idle(service.encoders))
            stack.callback(idle.cancel)
            watching = asyncio.create_task(watch(context))
            stack.callback(watching.cancel)
            _leave_alone_what_is_there()
            log.info("started", model=service.encoders.default, store=store.kind, at=_place())
            yield context

    @cached_property
    def _join(self) -> Callable[[list[EncodeItem]], Awaitable[list[Outcome]]]:
        """Joins the adaptive batch. BentoML's `batch_infer` looks at the method's signature in every call."""
        encode = self._service_instance.encode.local

        async def one_pass(batches: Sequence[list[EncodeItem]]) -> list[list[Outcome]]:
            items = [item for batch in batches for item in batch]
            return [[outcome] for outcome in await self._to_thread(encode, items)]

        joined: Callable[[list[EncodeItem]], Awaitable[list[Outcome]]]
        joined = self.dispatchers["encode"](one_pass)
        return joined

    async def infer(self, item: EncodeItem) -> Outcome:
        """Join the adaptive batch with one image."""
        try:
            outcomes: list[Outcome] = await self._join([item])
        except bentoml.exceptions.ServiceUnavailable:
            return Overloaded("The batch queue dropped this image; try again shortly.")
        return outcomes[0]

    async def warm_up(self, encoder: Encoder) -> None:
        """Run passes of several sizes, of which the first are slow, before a caller has to wait for them."""
        blank = EncodeItem(encoder, np.zeros((*encoder.info.input_size, 3), np.uint8))
        for burst in (1, 1, 2, settings.max_batch_size):
            await asyncio.gather(*(self.infer(blank) for _ in range(burst)))

    def fit_batching(self, encoder: Encoder, embedder: Embedder) -> None:
        """Batch no more, and wait no longer for company, than was measured to pay."""
        plan = encoder.info.plan
        if plan is not None:
            embedder.fit_to(plan, settings.max_batch_size)
        batching = Batching.of(plan, settings.max_batch_size, settings.max_wait_ms / 1000)
        self._limiter = anyio.CapacityLimiter(batching.passes)
        # Images in streams of their own are not faster together, so none need wait while a stream is free.
        dispatcher, turns = self.dispatchers["encode"], embedder.turns
        if plan is None or plan.streams == 1:
            dispatcher.fit(batching, lambda: turns.coming)
            turns.none_coming = dispatcher.look
        else:
            dispatcher.fit(batching)

    def stop_dispatchers(self) -> None:
        """Let go of whatever still waits for a batch."""
        for dispatcher in self.dispatchers.values():
            dispatcher.shutdown()


def _place() -> str:
    """Where the store is, without the password that an address may have."""
    if settings.qdrant_url is None:
        return str(settings.data.absolute())
    return urlsplit(settings.qdrant_url).netloc.rpartition("@")[2]


def _leave_alone_what_is_there() -> None:
    """Or each full collection looks at all of it, and holds every request up for a quarter of a second."""
    gc.collect()
    gc.freeze()


async def _unload_idle(encoders: ServedEncoders) -> None:
    while True:
        await asyncio.sleep(_IDLE_CHECK_SECONDS)
        encoders.unload_idle()


class InProcessService(Service):  # type: ignore[misc] # BentoML's classes are untyped
    """A BentoML service whose ASGI app is ours; `bentoml serve` and a built bento use it too."""

    def to_asgi(self, is_main: bool = True) -> FastAPI:
        """The ASGI app."""
        self.inject_config()
        return InProcessFactory(self, is_main=is_main)()


@bentoml.service(name="lookalike", service_class=InProcessService, workers=1)
class Lookalike:
    """Holds the encoders; BentoML calls `encode` with the batches it gathers."""

    def __init__(self) -> None:
        tune_process()
        self.encoders = ServedEncoders(
            (settings.model, *settings.models),
            lambda spec: load_encoder(spec, settings),
            budget_bytes=settings.model_memory_bytes,
            idle_seconds=settings.model_idle_seconds,
            discover=ModelsFolder(settings.models_folder).specs,
            metrics=metrics,
        )

    @bentoml.api(batchable=True)  # type: ignore[untyped-decorator] # batched by our Dispatcher
    def encode(self, items: list[Any]) -> list[Any]:
        """One pass of the model: EncodeItem in, EncodedItem or error out, in order."""
        return encode_observed(items, metrics)
