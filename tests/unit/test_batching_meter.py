"""Rates are learnt from what is done while more waits, and too much is told from a burst."""

from __future__ import annotations

import pytest

from lookalike_service.batching.fair_queue import BULK_SHARE
from lookalike_service.batching.meter import Meter

SECONDS = 2.0


def worked(per_second: float, seconds: float, *, meter: Meter | None = None) -> Meter:
    """A meter that saw so many finish in each second, with others waiting."""
    meter = meter or Meter(lambda _: SECONDS)
    for number in range(int(per_second * seconds) + 1):
        meter.finish("interactive", 1, number / per_second, backlog=True)
    return meter


def test_the_rate_is_what_is_done_while_others_wait() -> None:
    assert worked(200, 1).rate == pytest.approx(200)


def test_nothing_is_learnt_from_work_that_came_one_by_one() -> None:
    meter = Meter(lambda _: SECONDS)
    for number in range(100):
        meter.finish("interactive", 1, number * 0.5, backlog=False)
    assert meter.rate is None


def test_idle_time_between_two_queues_does_not_count() -> None:
    meter = worked(100, 1)
    meter.finish("interactive", 1, 1.01, backlog=False)
    meter.finish("interactive", 1, 1000.0, backlog=True)
    for number in range(1, 101):
        meter.finish("interactive", 1, 1000 + number / 100, backlog=True)
    assert meter.rate == pytest.approx(100, rel=0.02)


def test_the_rate_follows_a_change_within_seconds() -> None:
    meter = worked(100, 10)
    for number in range(1, 1001):
        meter.finish("interactive", 1, 10 + number / 50, backlog=True)
    assert meter.rate == pytest.approx(50, rel=0.1)


def test_callers_who_wait_for_their_answers_are_never_too_many() -> None:
    """As many as the queue holds, who all begin at once and each come back when answered."""
    meter = worked(100, 1)
    for _ in range(int(100 * SECONDS)):
        meter.offer("interactive", 1, 1.0)
        assert not meter.overloaded("interactive", 1.0)
    for number in range(1, 2000):
        now = 1 + number / 100
        meter.finish("interactive", 1, now, backlog=True)
        meter.offer("interactive", 1, now)
        assert not meter.overloaded("interactive", now)


def test_nor_are_they_while_the_machine_gets_faster_and_slower() -> None:
    meter, now = worked(60, 1), 1.0
    for _ in range(int(60 * SECONDS)):
        meter.offer("interactive", 1, now)
    for number in range(4000):
        now += 1 / (120 if number // 200 % 2 else 40)
        meter.finish("interactive", 1, now, backlog=True)
        meter.offer("interactive", 1, now)
        assert not meter.overloaded("interactive", now), number


@pytest.mark.parametrize("times", [4, 10])
def test_what_cannot_be_done_by_far_is_told_within_seconds_and_forgotten_later(times: int) -> None:
    meter = worked(100, 1)
    number, now = 0, 1.0
    while not meter.overloaded("interactive", now):
        number += 1
        now = 1 + number / (100 * times)
        meter.offer("interactive", 1, now)
    assert now - 1 < 2 * SECONDS
    assert not meter.overloaded("interactive", now + 60)


def test_when_a_flood_is_over_those_who_go_on_are_soon_not_too_many() -> None:
    meter, now = worked(100, 1), 1.0
    for number in range(10_000):  # ten times what can be done
        now = 1 + number / 1000
        meter.offer("interactive", 1, now)
        if number % 10 == 0:
            meter.finish("interactive", 1, now, backlog=True)
    assert meter.overloaded("interactive", now)
    over = now
    while meter.overloaded("interactive", now):
        now += 0.01
        meter.finish("interactive", 1, now, backlog=True)
        meter.offer("interactive", 1, now)
    assert now - over < SECONDS


def test_bulk_counts_on_what_urgent_work_leaves_and_at_least_on_its_share() -> None:
    meter = worked(100, 1)
    assert meter.speed("bulk", 1.0) == pytest.approx(100)
    for number in range(4000):
        meter.offer("interactive", 1, 1 + number / 40)
    now = 1 + 4000 / 40
    assert meter.speed("interactive", now) == pytest.approx(100)
    assert meter.speed("bulk", now) == pytest.approx(60, rel=0.05)
    for number in range(4000):
        meter.offer("interactive", 1, now + number / 1000)
    assert meter.speed("bulk", now + 4) == pytest.approx(100 * BULK_SHARE)


def test_a_request_refused_unread_counts_as_a_typical_one() -> None:
    meter = worked(100, 1)
    for number in range(200):
        meter.offer("bulk", 16, 1 + number / 5)  # 80 a second
    assert not meter.overloaded("bulk", 41.0)
    for number in range(100):
        meter.offer("bulk", None, 41 + number / 50)  # 800 a second
    assert meter.overloaded("bulk", 43.0)
