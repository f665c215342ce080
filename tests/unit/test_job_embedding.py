"""Embedding for jobs: in order, each image on its own, and without hurry."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from lookalike_service.encoders.batch import EncodeItem, Outcome, encode_items
from lookalike_service.encoders.served import ServedEncoders
from lookalike_service.errors import LookalikeError, SpaceMismatch
from lookalike_service.settings import Settings
from lookalike_service.spaces import Space
from lookalike_service.store.protocol import Vector
from lookalike_service.workflows.embedding import Embedder
from lookalike_service.workflows.job_embedding import JobEmbedding
from tests.fakes.encoder import FakeEncoder
from tests.pictures import broken, jpeg

ENCODER = FakeEncoder()
SPACE = ENCODER.info.space


async def infer(item: EncodeItem) -> Outcome:
    return encode_items([item])[0]


def embedding(embedder: Embedder) -> JobEmbedding:
    encoders = ServedEncoders(
        (ENCODER.info.model,), lambda _: ENCODER, budget_bytes=1, idle_seconds=3600
    )
    return JobEmbedding(embedder, encoders, asyncio.get_running_loop())


async def embedded(
    images: Sequence[bytes], *, space: Space = SPACE, full_at_first: bool = False
) -> list[Vector | LookalikeError]:
    """What a job's thread gets; with the queue full when it first asks."""
    embedder = Embedder(Settings(max_queue=32), infer)
    asked = 0

    def say() -> None:
        nonlocal asked
        asked += 1
        embedder.turns.images = 32 if full_at_first and asked == 1 else 0

    found = await asyncio.to_thread(embedding(embedder).embed, space, images, say)
    assert asked > full_at_first
    embedder.close()
    return found


async def test_images_are_embedded_in_order_over_batches_and_a_broken_one_fails_alone() -> None:
    images = [jpeg(seed=i) for i in range(35)]
    images[20] = broken()["truncated jpeg"].data
    found = await embedded(images)
    failed = [i for i, one in enumerate(found) if isinstance(one, LookalikeError)]
    assert failed == [20]
    for i in (0, 17, 34):
        (alone,) = await embedded([images[i]])
        np.testing.assert_allclose(found[i], alone, atol=1e-6)  # type: ignore[arg-type]  # no error


async def test_a_full_queue_is_waited_for() -> None:
    (found,) = await embedded([jpeg()], full_at_first=True)
    assert not isinstance(found, LookalikeError)


async def test_another_space_than_the_encoders_is_refused() -> None:
    other = replace(SPACE, weights="1" * 64)
    with pytest.raises(SpaceMismatch):
        await embedded([jpeg()], space=other)


async def test_a_job_that_is_to_stop_stops_between_batches() -> None:
    class Stopped(Exception):
        pass

    def stop() -> None:
        raise Stopped

    embedder = Embedder(Settings(), infer)
    with pytest.raises(Stopped):
        await asyncio.to_thread(embedding(embedder).embed, SPACE, [jpeg()], stop)
    embedder.close()
