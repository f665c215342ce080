"""What we need of BentoML's private dispatcher; its version is pinned, and this is why it may be raised."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from lookalike_service.encoders.batch import EncodedItem, EncodeItem
from lookalike_service.encoders.plans.plan import Agreement, Plan
from lookalike_service.encoders.protocol import Encoded, Pixels
from lookalike_service.errors import EncoderFailed
from lookalike_service.workflows.embedding import Embedder
from tests.fakes.encoder import POISON, SIZE, FakeEncoder


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOOKALIKE_DATA", str(tmp_path_factory.mktemp("data")))
        patch.setenv("BENTOML_DO_NOT_TRACK", "True")
        from lookalike_service import app as module
    return module


@contextlib.asynccontextmanager
async def started(
    app: ModuleType, encoder: FakeEncoder | None = None
) -> AsyncIterator[tuple[Any, FakeEncoder]]:
    """The factory with its dispatcher running, on a fake encoder."""
    encoder = encoder or FakeEncoder()
    service = app.Lookalike
    service.inject_config()
    factory = app.InProcessFactory(service, is_main=True)
    factory._service_instance = service.inner.__new__(service.inner)
    await factory.warm_up(encoder)
    encoder.batches.clear()
    yield factory, encoder
    factory.stop_dispatchers()


def item(encoder: FakeEncoder, value: int) -> EncodeItem:
    return EncodeItem(encoder, np.full((SIZE, SIZE, 3), value, np.uint8))


async def test_concurrent_single_images_reach_the_model_as_batches(app: ModuleType) -> None:
    async with started(app) as (factory, encoder):
        outcomes = await asyncio.gather(*(factory.infer(item(encoder, i)) for i in range(64)))
    assert sum(encoder.batches) == 64
    assert max(encoder.batches) > 8, encoder.batches
    assert max(encoder.batches) <= app.settings.max_batch_size
    assert all(isinstance(outcome, EncodedItem) for outcome in outcomes)


async def test_each_caller_gets_the_answer_to_its_own_image(app: ModuleType) -> None:
    async with started(app) as (factory, encoder):
        alone = encoder.encode(np.stack([item(encoder, i).pixels for i in range(32)])).embeddings
        outcomes = await asyncio.gather(*(factory.infer(item(encoder, i)) for i in range(32)))
    np.testing.assert_allclose([o.embedding for o in outcomes], alone, atol=1e-6)


async def test_an_image_that_breaks_the_model_fails_alone_in_its_batch(app: ModuleType) -> None:
    async with started(app) as (factory, encoder):
        poison = EncodeItem(encoder, np.broadcast_to(POISON, (SIZE, SIZE, 3)).copy())
        items = [item(encoder, i) for i in range(8)]
        outcomes = await asyncio.gather(*(factory.infer(i) for i in [*items, poison]))
    assert isinstance(outcomes[-1], EncoderFailed)
    assert all(isinstance(outcome, EncodedItem) for outcome in outcomes[:-1])


async def test_a_caller_that_leaves_does_not_disturb_the_others(app: ModuleType) -> None:
    async with started(app) as (factory, encoder):
        leaving = [asyncio.ensure_future(factory.infer(item(encoder, i))) for i in range(8)]
        staying = [asyncio.ensure_future(factory.infer(item(encoder, i))) for i in range(8)]
        await asyncio.sleep(0)
        for task in leaving:
            task.cancel()
        outcomes = await asyncio.gather(*staying)
    assert all(isinstance(outcome, EncodedItem) for outcome in outcomes)


class MeetingEncoder(FakeEncoder):
    """Two streams; each pass waits until as many are under way as may be: both streams' and one more."""

    def __init__(self) -> None:
        super().__init__()
        plan = Plan(
            name="openvino-float32",
            engine="openvino",
            device="cpu",
            dtype="float32",
            layout="engine's own",
            chosen="measured",
            images_per_second={1: 10.0, 2: 20.0, 4: 21.0},
            agreement=Agreement(1, 1),
            streams=2,
        )
        self.info = replace(self.info, plan=plan)
        self.meeting: threading.Barrier | None = None

    def encode(self, pixels: Pixels, *, features: bool = False) -> Encoded:
        if self.meeting is not None:
            self.meeting.wait(30)
        return super().encode(pixels, features=features)


async def test_a_batch_stands_ready_while_every_stream_runs_one(app: ModuleType) -> None:
    encoder = MeetingEncoder()
    async with started(app, encoder) as (factory, _):
        factory.fit_batching(encoder, Embedder(app.settings, factory.infer))
        encoder.meeting = threading.Barrier(3)
        outcomes = await asyncio.gather(*(factory.infer(item(encoder, i)) for i in range(6)))
    assert all(isinstance(outcome, EncodedItem) for outcome in outcomes), outcomes
    assert encoder.batches == [2, 2, 2]


def test_no_route_but_ours_is_served(app: ModuleType) -> None:
    api = app.Lookalike.to_asgi()
    assert "/v1/embed" in api.openapi()["paths"]
    # Not entered, so that nothing is started: routing alone answers.
    client = TestClient(api, base_url="http://127.0.0.1")
    for path in ("/encode", "/healthz", "/schema.json", "/docs.json", "/docs"):
        assert client.get(path).json()["code"] == "not_found"
