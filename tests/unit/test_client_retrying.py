"""When the client tries again, when it gives up, and how long it waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike import AsyncLookalike, Lookalike, errors
from lookalike.call import Answer, Call, nothing
from lookalike.retrying import Failure, pause
from tests.fakes.wire import WireService, problem

BUSY = {"Retry-After": "3"}


def answer(status: int, **headers: str) -> Answer:
    return Answer(status, headers, b"", "GET /")


def call(repeat: Any = "always") -> Call[None]:
    return Call("GET", "/", nothing, repeat=repeat)


BROKEN = Failure(errors.ConnectionFailed("broken"), sent=True)
REFUSED = Failure(errors.ConnectionFailed("refused"), sent=False)
SLOW = Failure(errors.TimedOut("slow"), sent=True)


@pytest.mark.parametrize(
    ("repeat", "outcome", "again"),
    [
        ("always", answer(429), True),
        ("always", answer(503), True),
        ("always", BROKEN, True),
        ("always", REFUSED, True),
        ("always", SLOW, False),
        ("always", answer(200), False),
        ("always", answer(404), False),
        ("always", answer(500), False),
        ("unless_received", answer(503), True),
        ("unless_received", REFUSED, True),
        ("unless_received", BROKEN, False),
        ("never", answer(503), False),
        ("never", REFUSED, False),
    ],
)
def test_only_what_is_safe_to_repeat_is_repeated(
    repeat: str, outcome: Answer | Failure, again: bool
) -> None:
    assert (pause(call(repeat), outcome, attempt=0, retries=1) is not None) == again


@given(st.integers(0, 40))
def test_the_wait_grows_to_a_bound_and_the_last_attempt_is_the_last(attempt: int) -> None:
    seconds = pause(call(), answer(503), attempt=attempt, retries=41)
    assert seconds is not None
    assert 0 <= seconds <= min(0.25 * 2**attempt, 30)
    assert pause(call(), answer(503), attempt=attempt, retries=attempt) is None


def test_retry_after_is_waited_for_and_never_less() -> None:
    seconds = pause(call(), answer(429, **{"retry-after": "3"}), attempt=0, retries=1)
    assert seconds is not None
    assert 3 <= seconds <= 3.25


def test_a_retry_after_beyond_a_minute_is_left_to_the_caller() -> None:
    assert pause(call(), answer(503, **{"retry-after": "61"}), attempt=0, retries=1) is None


# -- both clients follow it


Asker = Callable[..., Any]


def ask(transport: httpx.MockTransport, retries: int = 4) -> Any:
    with Lookalike(transport=transport, retries=retries) as client:
        return client.info()


def ask_async(transport: httpx.MockTransport, retries: int = 4) -> Any:
    async def run() -> Any:
        async with AsyncLookalike(transport=transport, retries=retries) as client:
            return await client.info()

    return asyncio.run(run())


@pytest.fixture(params=[ask, ask_async], ids=["blocking", "async"])
def asker(request: pytest.FixtureRequest) -> Asker:
    return request.param  # type: ignore[no-any-return]  # one of the two above


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that were slept, without sleeping."""
    slept: list[float] = []
    real = asyncio.sleep

    async def fake(seconds: float) -> None:
        slept.append(seconds)
        await real(0)

    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(asyncio, "sleep", fake)
    return slept


def test_a_busy_service_is_asked_again_until_it_answers(asker: Asker, waits: list[float]) -> None:
    busy = [problem(429, "overloaded", **BUSY), problem(503, "store_unavailable", **BUSY)]
    service = WireService(failures=busy)
    assert asker(service.transport()).model == "fake"
    assert len(waits) == 2
    assert min(waits) >= 3


def test_a_service_that_stays_busy_is_an_error_that_says_when_to_come_back(
    asker: Asker, waits: list[float]
) -> None:
    service = WireService(failures=[problem(429, "overloaded", **BUSY) for _ in range(3)])
    with pytest.raises(errors.Overloaded) as caught:
        asker(service.transport(), retries=2)
    assert (caught.value.retry_after, len(waits)) == (3.0, 2)


def test_no_connection_is_tried_again_and_then_named(asker: Asker, waits: list[float]) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(errors.ConnectionFailed, match=r"127\.0\.0\.1:3000 .refused"):
        asker(httpx.MockTransport(refuse), retries=3)
    assert len(waits) == 3


def test_a_timeout_is_not_tried_again(asker: Asker, waits: list[float]) -> None:
    def stall(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("too long", request=request)

    with pytest.raises(errors.TimedOut):
        asker(httpx.MockTransport(stall))
    assert waits == []


def test_a_job_is_not_started_twice_when_the_connection_breaks(waits: list[float]) -> None:
    asked = []

    def broken(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        raise httpx.ReadError("reset", request=request)

    with Lookalike(transport=httpx.MockTransport(broken)) as client:
        with pytest.raises(errors.ConnectionFailed):
            client.collection("x").cluster()
        assert len(asked) == 1
        with pytest.raises(errors.ConnectionFailed):
            client.collection("x").search(id="a")
        assert len(asked) == 1 + 5
