"""Streams share out a batch, run side by side, and come back whatever a pass does."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from lookalike_service.encoders.plans.engines import OneAtATime
from lookalike_service.encoders.plans.streams import Streams
from lookalike_service.images import Pixels


class FakeRequest:
    """Gives the mean of each image; a pass waits at `gate`, and image 255 breaks it."""

    def __init__(self, gate: threading.Barrier | None = None) -> None:
        self.gate = gate
        self.sizes: list[int] = []
        self.running = False

    def start_async(self, inputs: dict[int, Pixels], *, share_inputs: bool) -> None:
        assert share_inputs
        assert not self.running
        self.running, self.part = True, inputs[0]
        self.sizes.append(len(self.part))

    def wait(self) -> None:
        self.running = False
        if self.gate is not None:
            self.gate.wait(10)
        if (self.part == 255).any():
            raise RuntimeError("the pass failed")

    def get_output_tensor(self, number: int) -> Any:
        assert number == 0
        return SimpleNamespace(data=self.part.mean(axis=(1, 2, 3), dtype=np.float32)[:, None])


def images(*values: int) -> Pixels:
    return np.stack([np.full((2, 2, 3), value, np.uint8) for value in values])


@pytest.fixture
def requests() -> list[FakeRequest]:
    return [FakeRequest(), FakeRequest()]


def test_a_batch_is_shared_out_and_comes_back_in_order(requests: list[FakeRequest]) -> None:
    features = Streams(FakeRequest(), requests)(images(*range(7)))
    assert features[:, 0].tolist() == list(range(7))
    assert sorted(size for request in requests for size in request.sizes) == [3, 4]


def test_a_lone_image_runs_on_all_cores_together(requests: list[FakeRequest]) -> None:
    lone = FakeRequest()
    assert Streams(lone, requests)(images(5))[0, 0] == 5
    assert (lone.sizes, [request.sizes for request in requests]) == ([1], [[], []])


def test_callers_run_side_by_side_in_streams_of_their_own() -> None:
    # Each pass waits for the other one's: one after the other, both would break at the barrier.
    gate = threading.Barrier(2)
    streams = Streams(FakeRequest(), [FakeRequest(gate) for _ in range(3)])
    with ThreadPoolExecutor(2) as threads:
        with streams._taken(2):  # so that none of them finds the machine idle
            asked = [threads.submit(streams, images(value)) for value in (1, 2)]
        assert [one.result(20)[0, 0] for one in asked] == [1, 2]


def test_a_pass_that_fails_leaves_every_stream_free(requests: list[FakeRequest]) -> None:
    streams = Streams(FakeRequest(), requests)
    with pytest.raises(RuntimeError, match="the pass failed"):
        streams(images(1, 255, 3, 4))
    assert not any(request.running for request in requests)
    assert streams(images(1, 2, 3, 4))[:, 0].tolist() == [1, 2, 3, 4]


def test_many_callers_each_get_their_own_answer(requests: list[FakeRequest]) -> None:
    streams = Streams(FakeRequest(), requests)
    with ThreadPoolExecutor(8) as threads:
        sizes = [1 + i % 3 for i in range(200)]
        asked = [images(*[i % 200] * n) for i, n in enumerate(sizes)]
        answers = list(threads.map(streams, asked))
    for i, answer in enumerate(answers):
        assert set(answer[:, 0].tolist()) == {i % 200}
        assert len(answer) == sizes[i]


def test_other_engines_run_one_pass_at_a_time() -> None:
    busy = threading.Lock()

    def run(pixels: Pixels) -> Any:
        assert busy.acquire(blocking=False), "two passes at once"
        busy.release()
        return pixels

    execute = OneAtATime(run)
    with ThreadPoolExecutor(8) as threads:
        assert len(list(threads.map(execute, [images(1)] * 500))) == 500
