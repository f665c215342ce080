"""A pass begins when it can: at once where the model is idle, however long ago the last burst was."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike_service.dispatcher import Batching, Dispatcher

HOURS = 3600.0


class TimeLoop(asyncio.SelectorEventLoop):
    """A loop whose clock can be put forward; its timers go by it."""

    ahead = 0.0

    def time(self) -> float:
        return super().time() + self.ahead


class Model:
    """A dispatcher for two streams and a pass that stands ready; passes are ended by hand."""

    def __init__(
        self, *, batch: int = 4, max_wait: float = 60.0, coming: Callable[[], int] | None = None
    ) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, TimeLoop)
        self.loop = loop
        self.dispatcher = Dispatcher(batch)
        batching = Batching(batch, passes=3, standby=1, max_wait=max_wait)
        self.dispatcher.fit(batching, coming)
        self.passes: list[list[int]] = []
        self.under_way: list[asyncio.Future[None]] = []
        self.most = 0

    async def run(self, items: Sequence[list[int]]) -> list[list[int]]:
        numbers = [number for item in items for number in item]
        self.passes.append(numbers)
        end = self.loop.create_future()
        self.under_way.append(end)
        self.most = max(self.most, len(self.under_way))
        await end
        return [[2 * number] for number in numbers]

    def ask(self, number: int) -> asyncio.Future[Any]:
        return asyncio.ensure_future(self.dispatcher(self.run)([number]))

    async def settle(self) -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    async def end(self) -> None:
        self.under_way.pop(0).set_result(None)
        await self.settle()

    async def finish(self) -> None:
        await self.settle()
        while self.under_way:
            await self.end()


def on_clock(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test on a TimeLoop."""

    def run() -> None:
        with asyncio.Runner(loop_factory=TimeLoop) as runner:
            runner.run(test())

    run.__name__ = test.__name__
    return run


async def lone_begins_at_once(model: Model, number: int) -> None:
    answer = model.ask(number)
    await model.settle()
    assert model.passes[-1] == [number]
    assert model.dispatcher._timer is None
    await model.end()
    assert await answer == [2 * number]


@on_clock
async def test_a_lone_image_waits_for_no_company_also_hours_after_a_burst() -> None:
    model = Model()
    await lone_begins_at_once(model, 1)
    burst = [model.ask(number) for number in range(500)]
    await model.finish()
    assert await asyncio.gather(*burst) == [[2 * number] for number in range(500)]
    for hours in (0.0, 0.1, 3.0, 24.0):
        model.loop.ahead += hours * HOURS
        await lone_begins_at_once(model, 7)


@on_clock
async def test_images_that_come_at_once_share_a_pass() -> None:
    model = Model()
    answers = [model.ask(number) for number in range(3)]
    await model.finish()
    assert model.passes == [[0, 1, 2]]
    await asyncio.gather(*answers)


@on_clock
async def test_the_pass_that_stands_ready_is_waited_for_only_while_the_model_is_busy() -> None:
    model = Model()
    answers = []
    for number in range(2):
        answers.append(model.ask(number))
        await model.settle()
    assert model.passes == [[0], [1]], "both streams run"
    answers.append(model.ask(2))
    await model.settle()
    assert len(model.passes) == 2, "it could not run anyway"
    model.loop.ahead += 61
    await asyncio.sleep(0.01)
    assert model.passes[2:] == [[2]], "it waited enough, and stands ready"
    answers.append(model.ask(3))
    await model.end()
    await model.settle()
    assert len(model.passes) == 3
    await model.end()
    assert model.passes[3:] == [[3]], "a stream is idle"
    await model.finish()
    await asyncio.gather(*answers)


@on_clock
async def test_a_full_pass_stands_ready_without_waiting() -> None:
    model = Model()
    answers = []
    for number in range(2):
        answers.append(model.ask(number))
        await model.settle()
    answers += [model.ask(number) for number in range(2, 9)]
    await model.settle()
    assert model.passes == [[0], [1], [2, 3, 4, 5]]
    await model.finish()
    assert model.passes[3:] == [[6, 7, 8]]
    await asyncio.gather(*answers)


@on_clock
async def test_an_idle_model_waits_for_those_that_are_coming_and_no_longer() -> None:
    others = 2
    model = Model(coming=lambda: others)
    answers = [model.ask(1)]
    await model.settle()
    others = 1
    answers.append(model.ask(2))
    await model.settle()
    assert not model.passes
    others = 0
    answers.append(model.ask(3))
    await model.settle()
    assert model.passes == [[1, 2, 3]]
    await model.finish()
    await asyncio.gather(*answers)


@on_clock
async def test_one_that_was_coming_and_failed_is_waited_for_no_longer() -> None:
    others = 1
    model = Model(coming=lambda: others)
    answer = model.ask(1)
    await model.settle()
    assert not model.passes
    others = 0
    model.dispatcher.look()
    await model.settle()
    assert model.passes == [[1]]
    await model.finish()
    await answer


@on_clock
async def test_those_that_are_coming_and_never_come_are_waited_for_so_long() -> None:
    model = Model(coming=lambda: 1)
    answer = model.ask(1)
    await model.settle()
    assert not model.passes
    model.loop.ahead += 61
    await asyncio.sleep(0.01)
    assert model.passes == [[1]]
    await model.finish()
    await answer


@on_clock
async def test_a_full_pass_waits_for_nobody() -> None:
    model = Model(coming=lambda: 1)
    answers = [model.ask(number) for number in range(4)]
    await model.settle()
    assert model.passes == [[0, 1, 2, 3]]
    await model.finish()
    await asyncio.gather(*answers)


@on_clock
async def test_a_pass_that_raises_fails_its_images_and_no_others() -> None:
    model = Model()

    async def broken(items: Sequence[list[int]]) -> list[list[int]]:
        raise MemoryError("of this pass")

    failing = asyncio.ensure_future(model.dispatcher(broken)([1]))
    await model.settle()
    with pytest.raises(MemoryError):
        await failing
    await lone_begins_at_once(model, 2)


@on_clock
async def test_a_caller_that_leaves_does_not_disturb_its_pass() -> None:
    model = Model()
    leaves, stays = model.ask(1), model.ask(2)
    await model.settle()
    leaves.cancel()
    await model.finish()
    assert await stays == [4]


@given(st.lists(st.sampled_from(["ask", "ask", "ask", "end", "wait", "settle"]), max_size=60))
def test_every_image_is_in_one_pass_and_no_bound_is_exceeded(steps: list[str]) -> None:
    async def run() -> None:
        model = Model()
        answers: list[asyncio.Future[Any]] = []
        for step in steps:
            if step == "ask":
                answers.append(model.ask(len(answers)))
            elif step == "end" and model.under_way:
                await model.end()
            elif step == "wait":
                model.loop.ahead += 61
            await model.settle() if step != "ask" else None
        model.loop.ahead += 61
        await model.finish()
        assert await asyncio.gather(*answers) == [[2 * n] for n in range(len(answers))]
        assert sorted(number for each in model.passes for number in each) == list(
            range(len(answers))
        )
        assert all(len(each) <= 4 for each in model.passes)
        assert model.most <= 3

    with asyncio.Runner(loop_factory=TimeLoop) as runner:
        runner.run(run())
