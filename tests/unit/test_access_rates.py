"""Token buckets: what each caller may use, and how long they are remembered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike_service.access.caller import anybody
from lookalike_service.access.rates import Rate
from lookalike_service.errors import RateLimited


class Clock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def passes(rate: Rate, caller: str, count: int = 1) -> bool:
    try:
        rate.use(caller, count)
    except RateLimited:
        return False
    return True


def test_a_burst_is_let_through_and_then_the_rate() -> None:
    clock = Clock()
    rate = Rate("requests", 2, 5, clock)
    assert sum(passes(rate, "a") for _ in range(20)) == 10
    clock.now += 3
    assert sum(passes(rate, "a") for _ in range(20)) == 6
    assert passes(rate, "b"), "another caller has a bucket of its own"


@given(
    st.floats(0.1, 50),
    st.floats(0, 20),
    st.lists(st.tuples(st.floats(0, 3), st.integers(1, 9)), max_size=60),
)
def test_no_caller_gets_more_than_burst_and_rate_and_one_request_over(
    per_second: float, burst: float, steps: list[tuple[float, int]]
) -> None:
    clock = Clock()
    rate = Rate("images", per_second, burst, clock)
    used = 0
    for pause, count in steps:
        clock.now += pause
        if passes(rate, "a", count):
            used += count
    room = max(burst * per_second, 1) + (clock.now - 1000) * per_second
    assert used <= room + 9


@given(st.floats(0.1, 50), st.floats(0, 20), st.integers(1, 100))
def test_who_waits_as_long_as_told_is_served(per_second: float, burst: float, count: int) -> None:
    clock = Clock()
    rate = Rate("images", per_second, burst, clock)
    for _ in range(5):
        try:
            rate.use("a", count)
        except RateLimited as refused:
            clock.now += refused.retry_after
            rate.use("a", count)


def test_what_is_refused_costs_nothing() -> None:
    clock = Clock()
    rate = Rate("requests", 1, 1, clock)
    assert passes(rate, "a")
    assert not any(passes(rate, "a") for _ in range(100))
    clock.now += 1
    assert passes(rate, "a")


def test_without_a_rate_everything_passes_and_nobody_is_remembered() -> None:
    rate = Rate("requests", None, 10)
    assert all(passes(rate, "a", 1000) for _ in range(100))
    assert len(rate) == 0


def test_memory_is_bounded_however_many_callers_there_are() -> None:
    clock = Clock()
    rate = Rate("requests", 1, 10, clock)
    for i in range(20_000):
        rate.use(str(i))
    assert len(rate) == 10_000
    clock.now += 60
    rate.use("last")
    assert len(rate) == 1, "full buckets need not be kept"


@pytest.mark.parametrize(
    ("address", "caller"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("local", "local"),
    ],
)
def test_a_network_of_ipv6_is_one_caller(address: str, caller: str) -> None:
    assert anybody(address).id == caller
