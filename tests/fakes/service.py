"""The whole HTTP service on a fake encoder and an in-memory store."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from starlette.testclient import TestClient

from lookalike_service.api.application import create_app
from lookalike_service.api.context import Context, Encoders
from lookalike_service.api.metrics import Metrics
from lookalike_service.encoders.batch import EncodeItem, Outcome, encode_items
from lookalike_service.jobs.runner import JobRunner
from lookalike_service.settings import Settings
from lookalike_service.workflows.embedding import Embedder
from lookalike_service.workflows.kinds import JOB_KINDS
from tests.fakes.encoder import FakeEncoder
from tests.fakes.store import FakeStore


@dataclass(frozen=True)
class FakeService:
    """A client of the service, and what stands behind it."""

    client: TestClient
    encoder: FakeEncoder
    store: FakeStore


@contextlib.contextmanager
def fake_service(**settings: Any) -> Iterator[FakeService]:
    """Start the service; settings override the defaults."""
    encoder, store = FakeEncoder(), FakeStore()
    configured = Settings(**settings)

    async def infer(item: EncodeItem) -> Outcome:
        return encode_items([item])[0]

    @contextlib.asynccontextmanager
    async def open_context(app: FastAPI) -> AsyncIterator[Context]:
        embedder = Embedder(configured, infer)
        jobs = JobRunner(store, JOB_KINDS, configured)
        jobs.start()
        yield Context(configured, Encoders(encoder), embedder, store, jobs, app.state.metrics)
        jobs.stop()
        embedder.close()

    app = create_app(open_context, configured, Metrics())
    with TestClient(app, raise_server_exceptions=False) as client:
        yield FakeService(client, encoder, store)
