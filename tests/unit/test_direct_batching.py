"""Images are gathered into full passes, a few at once, and every image gets its own outcome."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import numpy as np
import pytest

from lookalike_service.direct import batching
from lookalike_service.direct.batching import Batcher
from lookalike_service.encoders.batch import EncodedItem, EncodeItem, Outcome
from tests.fakes.encoder import SIZE, FakeEncoder


def item(number: int) -> EncodeItem:
    """Told by its first sample."""
    return EncodeItem(FakeEncoder(), np.full((SIZE, SIZE, 3), number, np.uint8))


class Model:
    """Answers with the number of each item; remembers the passes it saw."""

    def __init__(self) -> None:
        self.passes: list[list[int]] = []
        self.running = self.most = 0
        self._lock = threading.Lock()
        self.hold = threading.Event()
        self.hold.set()

    def encode(self, items: Sequence[EncodeItem]) -> list[Outcome]:
        numbers = [int(item.pixels[0, 0, 0]) for item in items]
        with self._lock:
            self.passes.append(numbers)
            self.running += 1
            self.most = max(self.most, self.running)
        assert self.hold.wait(10)
        with self._lock:
            self.running -= 1
        return [EncodedItem(np.full(2, n, np.float32), 1.0, None) for n in numbers]


async def embed(batcher: Batcher, count: int) -> list[int]:
    outcomes = await asyncio.gather(*(batcher.infer(item(n)) for n in range(count)))
    return [int(o.embedding[0]) for o in outcomes if isinstance(o, EncodedItem)]


async def test_passes_are_full_but_for_the_last_and_outcomes_are_in_place() -> None:
    model = Model()
    batcher = Batcher(model.encode, size=4, at_once=2)
    assert await embed(batcher, 10) == list(range(10))
    assert sorted(len(each) for each in model.passes) == [2, 4, 4]
    batcher.close()


async def test_no_more_passes_run_than_are_allowed() -> None:
    model = Model()
    model.hold.clear()
    batcher = Batcher(model.encode, size=2, at_once=2)
    work = asyncio.ensure_future(embed(batcher, 8))
    await asyncio.sleep(0.1)
    assert model.most <= 2
    model.hold.set()
    assert await work == list(range(8))
    assert model.most == 2
    batcher.close()


async def test_images_that_were_overdue_while_all_were_busy_go_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batching, "_WAIT_SECONDS", 0.01)
    model = Model()
    model.hold.clear()
    batcher = Batcher(model.encode, size=3, at_once=1)
    work = asyncio.ensure_future(embed(batcher, 4))
    await asyncio.sleep(0.1)
    model.hold.set()
    assert await asyncio.wait_for(work, 5) == list(range(4))
    assert model.passes == [[0, 1, 2], [3]]
    batcher.close()


async def test_a_pass_that_raises_fails_its_images_and_no_others() -> None:
    def encode(items: Sequence[EncodeItem]) -> list[Outcome]:
        if items[0].pixels[0, 0, 0] == 0:
            raise MemoryError("of this pass")
        return [EncodedItem(np.zeros(2, np.float32), 1.0, None) for _ in items]

    batcher = Batcher(encode, size=2, at_once=1)
    results = await asyncio.gather(
        *(batcher.infer(item(n)) for n in range(4)), return_exceptions=True
    )
    assert [type(result) for result in results] == [MemoryError] * 2 + [EncodedItem] * 2
    batcher.close()
