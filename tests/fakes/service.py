"""The whole HTTP service on a fake encoder and an in-memory store, in this process or behind a socket."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import uvicorn
from fastapi import FastAPI
from starlette.testclient import TestClient

from lookalike_service.api.application import create_app
from lookalike_service.api.context import Context
from lookalike_service.encoders.batch import EncodeItem, Outcome, encode_items
from lookalike_service.encoders.protocol import Encoder
from lookalike_service.encoders.served import ServedEncoders
from lookalike_service.jobs.runner import JobRunner
from lookalike_service.settings import Settings
from lookalike_service.store.observed import observed
from lookalike_service.store.protocol import Store
from lookalike_service.telemetry.metrics import Metrics
from lookalike_service.workflows.embedding import Embedder
from lookalike_service.workflows.job_embedding import JobEmbedding
from lookalike_service.workflows.kinds import job_kinds
from tests.fakes.encoder import FakeEncoder
from tests.fakes.store import FakeStore


@dataclass(frozen=True)
class FakeService:
    """A client of the service, and what stands behind it."""

    client: TestClient
    encoder: FakeEncoder
    store: FakeStore


def fake_app(
    encoder: Encoder, store: Store, more: Sequence[Encoder] = (), **settings: Any
) -> FastAPI:
    """The service's app, which offers `more` encoders too; settings override the defaults."""
    configured, metrics = Settings(**settings), Metrics()
    watched = observed(store, metrics)
    offered = {each.info.model: each for each in (encoder, *more)}

    async def infer(item: EncodeItem) -> Outcome:
        return encode_items([item])[0]

    @contextlib.asynccontextmanager
    async def open_context(app: FastAPI) -> AsyncIterator[Context]:
        embedder = Embedder(configured, infer, metrics)
        encoders = ServedEncoders(
            tuple(offered),
            offered.__getitem__,
            budget_bytes=2**20,
            idle_seconds=3600,
            metrics=metrics,
        )
        embedding = JobEmbedding(embedder, encoders, asyncio.get_running_loop())
        jobs = JobRunner(watched, job_kinds(embedding), configured, metrics)
        jobs.start()
        yield Context(
            configured,
            encoders,
            embedder,
            watched,
            jobs,
            metrics,
        )
        await asyncio.to_thread(jobs.stop)  # a job may wait for this loop
        embedder.close()

    return create_app(open_context, configured, metrics)


@contextlib.contextmanager
def fake_service(
    encoder: FakeEncoder | None = None, more: Sequence[Encoder] = (), **settings: Any
) -> Iterator[FakeService]:
    """Start the service in this process."""
    encoder, store = encoder or FakeEncoder(), FakeStore()
    app = fake_app(encoder, store, more, **settings)
    # By loopback: without keys the service answers nobody else.
    with TestClient(app, "http://127.0.0.1", raise_server_exceptions=False) as client:
        yield FakeService(client, encoder, store)


@contextlib.contextmanager
def fake_server(
    more: Sequence[Encoder] = (),
    *,
    encoder: Encoder | None = None,
    store: FakeStore | None = None,
    **settings: Any,
) -> Iterator[str]:
    """Start the service behind a socket, as it is run; its URL."""
    app = fake_app(encoder or FakeEncoder(), store or FakeStore(), more, **settings)
    config = uvicorn.Config(app, port=0, log_config=None, access_log=False, lifespan="on")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(30)
