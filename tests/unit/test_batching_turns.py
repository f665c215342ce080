"""What is accepted gets its turn, what is not is told at once when to come back, and no bound is exceeded."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike_service.batching.bounds import Bounds, Size
from lookalike_service.batching.turns import Turn, Turns
from lookalike_service.batching.work import ClientGone, Priority, Work
from lookalike_service.errors import Overloaded
from lookalike_service.telemetry.metrics import Metrics

MEGA = 1_000_000


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Bench:
    """Turns whose work is ended by hand, in the order in which it began."""

    def __init__(self, *, places: int = 2, **bounds: Any) -> None:
        limits: dict[str, Any] = {"images": 100, "pixels": 1000 * MEGA, "decoding": 200 * MEGA}
        limits |= {"interactive_seconds": 2.0, "bulk_seconds": 2.0}
        self.clock, self.metrics = Clock(), Metrics()
        self.turns = Turns(Bounds(**(limits | bounds)), places, self.metrics, self.clock)
        self.begun: list[tuple[str, int]] = []
        self._ends: list[asyncio.Event] = []

    def ask(
        self,
        count: int = 1,
        caller: str = "a",
        priority: Priority = "interactive",
        *,
        pixels: int = 0,
        work: Work | None = None,
    ) -> asyncio.Task[int]:
        """A request of so many images, which begins when others may; how many of them were done."""
        mine = work or Work(caller)

        async def one(turn: Turn, number: int) -> None:
            async with turn:
                self.begun.append((mine.caller, number))
                end = asyncio.Event()
                self._ends.append(end)
                await end.wait()
                turn.decoded()

        async def request() -> int:
            with self.turns.admitted(mine, priority, [Size(1, pixels)] * count) as turns:
                tasks = [asyncio.ensure_future(one(turn, i)) for i, turn in enumerate(turns)]
                await asyncio.gather(*tasks, return_exceptions=True)
                for task in tasks:
                    task.result()
                return len(tasks)

        return asyncio.ensure_future(request())

    async def end(self, count: int = 1, *, seconds: float = 0.0) -> None:
        """Finish what began first, each after so many seconds."""
        for _ in range(count):
            await settle()
            self.clock.now += seconds
            self._ends.pop(0).set()
        await settle()

    async def finish(self) -> None:
        """Finish whatever there is."""
        await settle()
        while self._ends:
            await self.end()

    def counted(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"lookalike_{name}_total", labels) or 0.0


async def settle() -> None:
    """Let everything happen that can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def refused(task: Awaitable[int]) -> Overloaded:
    with pytest.raises(Overloaded) as caught:
        await task
    return caught.value


async def test_it_is_known_how_many_are_being_decoded_and_when_none_is() -> None:
    bench = Bench(places=2)
    told = list[int]()
    bench.turns.none_coming = lambda: told.append(len(bench.begun))
    work = bench.ask(3, pixels=MEGA)
    await settle()
    assert bench.turns.coming == 2
    await bench.end()
    assert (bench.turns.coming, told) == (2, []), "the third has begun"
    work.cancel()
    await bench.finish()
    assert (bench.turns.coming, told) == (0, [3])


async def test_no_more_begin_than_there_are_places() -> None:
    bench = Bench(places=3)
    work = bench.ask(10)
    await settle()
    assert len(bench.begun) == 3
    await bench.end(2)
    assert len(bench.begun) == 5
    await bench.finish()
    assert await work == 10
    assert [number for _, number in bench.begun] == list(range(10))


async def test_the_order_is_decided_when_a_place_is_free() -> None:
    bench = Bench(places=1)
    many = bench.ask(20, "indexer", "bulk")
    await settle()
    search = bench.ask(1, "person")
    await bench.end()
    assert bench.begun[1] == ("person", 0)
    await bench.finish()
    assert (await many, await search) == (20, 1)


async def test_an_idle_service_takes_a_request_beyond_every_bound() -> None:
    bench = Bench(images=4, pixels=10 * MEGA)
    work = bench.ask(9, pixels=10 * MEGA)
    await bench.finish()
    assert await work == 9


async def test_beyond_the_bound_in_images_a_request_is_refused_at_once() -> None:
    bench = Bench(images=8)
    first, second = bench.ask(2, "a"), bench.ask(2, "b")
    await settle()
    error = await refused(bench.ask(5, "c"))
    assert "at most 8 may" in error.detail
    assert error.retry_after >= 1
    assert bench.counted("refused", reason="images") == 1
    await bench.finish()
    assert await first + await second == 4
    assert not bench.turns.images


async def test_beyond_the_bound_in_pixels_a_request_is_refused_at_once() -> None:
    bench = Bench(pixels=100 * MEGA)
    first = bench.ask(6, "a", pixels=15 * MEGA)
    await settle()
    assert "100,000,000" in (await refused(bench.ask(1, "b", pixels=15 * MEGA))).detail
    small = bench.ask(1, "b", pixels=1 * MEGA)
    await bench.finish()
    assert await first + await small == 7


async def test_one_caller_leaves_room_for_others() -> None:
    bench = Bench(images=64)
    first = bench.ask(30, "greedy", "bulk")
    await settle()
    assert "30 of them yours" in (await refused(bench.ask(3, "greedy", "bulk"))).detail
    others = [bench.ask(1, f"caller {i}") for i in range(16)]
    await bench.finish()
    assert [await one for one in (first, *others)] == [30, *[1] * 16]


async def test_no_more_pixels_are_decoded_at_once_than_may_be_but_one_image_always() -> None:
    bench = Bench(places=8, decoding=100 * MEGA)
    work = bench.ask(3, pixels=60 * MEGA)
    await settle()
    assert len(bench.begun) == 1
    await bench.end()
    assert len(bench.begun) == 2
    huge = bench.ask(1, "b", pixels=150 * MEGA)
    await bench.finish()
    assert await work + await huge == 4


async def test_what_would_wait_too_long_by_the_measured_rate_is_refused() -> None:
    bench = Bench(places=2, images=1000)
    work = bench.ask(60, "a", "bulk")
    await bench.end(20, seconds=0.1)  # ten a second
    assert bench.turns.waiting("bulk") == 38
    error = await refused(bench.ask(1, "a", "bulk"))
    assert "3.8 s" in error.detail
    assert error.retry_after == 2, "when all but two seconds' work is done"
    other = bench.ask(1, "b", "bulk")  # is not behind the other caller's
    await settle()
    assert not other.done()
    await bench.finish()
    assert await work + await other == 61


async def test_bulk_has_few_places_while_people_search_and_all_of_them_when_they_are_gone() -> None:
    bench = Bench(places=8)
    bench.turns.fit(8, 3)
    bench.ask(1, "person")
    await bench.end()
    bench.ask(20, "bulk", "bulk")
    await settle()
    assert [caller for caller, _ in bench.begun] == ["person"] + ["bulk"] * 3
    bench.ask(2, "person")
    await settle()
    assert [caller for caller, _ in bench.begun[4:]] == ["person"] * 2  # there is a place for them
    bench.clock.now += 60
    await bench.end()
    assert [caller for caller, _ in bench.begun[6:]] == ["bulk"] * 4
    await bench.finish()


async def test_under_sustained_overload_hardly_anything_waits_and_the_places_never_run_dry() -> (
    None
):
    bench = Bench(places=12, images=1000)
    bench.turns.fit(12, 4)
    answers = [bench.ask(1, "a") for _ in range(16)]
    lengths, done = [], 0
    for number in range(4000):  # ten times as many come as are done
        await settle()
        answers.append(bench.ask(1, "a"))
        if number % 10 == 9:
            await bench.end(1, seconds=0.01)
            done += 1
            assert bench.turns.images >= 4, "no place is empty"
        lengths.append(bench.turns.images)
    assert max(lengths[-1000:]) <= 4 + 1, "as many as suffice are under way, and one waits"
    await bench.finish()
    outcomes = await asyncio.gather(*answers, return_exceptions=True)
    assert sum(one == 1 for one in outcomes) >= done
    assert all(one == 1 or isinstance(one, Overloaded) for one in outcomes)


async def test_an_image_past_its_deadline_is_dropped_before_its_turn() -> None:
    bench = Bench(places=1)
    first = bench.ask(1, "a")
    late = bench.ask(2, work=Work("b", deadline=bench.clock.now + 5))
    await settle()
    bench.clock.now += 6
    await bench.end()
    await refused(late)
    assert await first == 1
    assert bench.begun == [("a", 0)], "it never began"
    assert bench.counted("dropped", reason="deadline") == 2


async def test_a_deadline_that_passes_while_decoding_stops_the_image_before_the_model() -> None:
    bench = Bench(places=1)
    late = bench.ask(1, work=Work("b", deadline=bench.clock.now + 5))
    await settle()
    await bench.end(seconds=6)
    await refused(late)
    assert bench.counted("dropped", reason="deadline") == 1


async def test_what_waits_for_a_client_that_left_is_dropped_and_others_move_up() -> None:
    bench, leave = Bench(places=1), asyncio.Event()

    async def left() -> None:
        await leave.wait()

    gone = bench.ask(50, work=Work("gone", left=left))
    stays = bench.ask(1, "stays")
    await settle()
    leave.set()
    await settle()
    assert bench.counted("dropped", reason="client_gone") == 49
    await bench.end()
    with pytest.raises(ClientGone):
        await gone
    assert bench.counted("dropped", reason="client_gone") == 50, "what was decoded goes no further"
    await bench.finish()
    assert await stays == 1
    assert bench.begun == [("gone", 0), ("stays", 0)]


async def test_a_request_that_is_cancelled_gives_its_places_back() -> None:
    bench = Bench(places=1)
    cancelled = bench.ask(10, "a")
    await settle()
    cancelled.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await cancelled
    assert bench.turns.images == 0
    bench._ends.clear()
    after = bench.ask(1, "b")
    await bench.finish()
    assert await after == 1


REQUESTS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "ask", "end", "cancel", "leave", "wait"]),
        st.integers(1, 12),
        st.sampled_from("abc"),
        st.sampled_from(["interactive", "bulk"]),
        st.sampled_from([0, 5 * MEGA, 30 * MEGA, 90 * MEGA]),
    ),
    max_size=40,
)


@given(REQUESTS)
async def test_whatever_happens_all_is_answered_and_no_bound_is_exceeded(
    steps: Sequence[tuple[str, int, str, Priority, int]],
) -> None:
    bench = Bench(places=3, images=20, pixels=200 * MEGA, decoding=60 * MEGA)
    turns, tasks, leaves = bench.turns, list[asyncio.Task[int]](), list[Callable[[], None]]()
    for what, count, caller, priority, pixels in steps:
        idle, before = turns.images == 0, (turns.images, turns.pixels)
        if what == "ask":
            leave = asyncio.Event()
            left = leave.wait
            work = Work(caller, left=left)  # type: ignore[arg-type] # what it returns is ignored
            tasks.append(bench.ask(count, priority=priority, pixels=pixels, work=work))
            leaves.append(leave.set)
            await settle()
            # One that found the service idle may exceed the bounds; those after it may not add to that.
            assert turns.images <= max(20, count if idle else before[0])
            assert turns.pixels <= max(200 * MEGA, count * pixels if idle else before[1])
        elif what == "end" and bench._ends:
            await bench.end(seconds=0.05)
        elif what == "cancel" and tasks:
            tasks[count % len(tasks)].cancel()
        elif what == "leave" and leaves:
            leaves[count % len(leaves)]()
        else:
            bench.clock.now += count
        await settle()
        assert turns._running <= 3
        assert turns._decoding <= max(60 * MEGA, pixels, 90 * MEGA)
    for _ in range(200):
        await bench.finish()
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    expected = (int, Overloaded, ClientGone, asyncio.CancelledError)
    assert all(isinstance(answer, expected) for answer in answers), answers
    assert (turns.images, turns.pixels, turns._running, turns._decoding) == (0, 0, 0, 0)
    assert len(turns._queue) == 0
    assert not turns._held
