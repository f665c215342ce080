"""Nothing is lost or taken twice, callers share, and neither kind of work starves the other."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike_service.batching.fair_queue import BULK_SHARE, Entry, FairQueue
from lookalike_service.batching.work import Priority

PRIORITIES = st.sampled_from(["interactive", "bulk"])
CALLERS = st.sampled_from("abcd")
COSTS = st.sampled_from([1.0, 2.5, 7.0, 51.0])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("push"), PRIORITIES, CALLERS, COSTS),
        st.tuples(st.just("take")),
        st.tuples(st.just("drop"), st.integers(0, 30)),
    ),
    max_size=120,
)


@given(STEPS)
def test_what_comes_is_taken_once_or_dropped_and_in_order_of_its_caller(steps: list[Any]) -> None:
    queue = FairQueue[int]()
    entries, gone, taken = list[Entry[int]](), set[int](), list[int]()
    lines: dict[tuple[Priority, str], deque[int]] = {}
    line_of: dict[int, tuple[Priority, str]] = {}

    def take() -> None:
        following = queue.next()
        item = queue.take()
        assert (following is None) == (item is None)
        if item is None:
            assert not any(lines.values())
            return
        assert following is not None
        assert following.item == item
        assert lines[line_of[item]].popleft() == item
        taken.append(item)

    for step in steps:
        if step[0] == "push":
            _, priority, caller, cost = step
            number = len(entries)
            entries.append(queue.push(priority, caller, number, cost))
            lines.setdefault((priority, caller), deque()).append(number)
            line_of[number] = priority, caller
        elif step[0] == "take":
            take()
        elif step[1] < len(entries):
            number = step[1]
            queue.drop(entries[number])
            if number in lines[line_of[number]]:
                lines[line_of[number]].remove(number)
                gone.add(number)
        assert len(queue) == sum(map(len, lines.values()))
    while len(queue):
        take()
    assert sorted(taken) == sorted(set(range(len(entries))) - gone)
    assert queue.ahead("interactive", "a") == queue.ahead("bulk", "a") == 0, "nothing is left"


def order(queue: FairQueue[str], count: int) -> list[str]:
    return [item for _ in range(count) if (item := queue.take()) is not None]


def fill(queue: FairQueue[str], priority: Priority, callers: Iterable[tuple[str, int]]) -> None:
    for caller, count in callers:
        for _ in range(count):
            queue.push(priority, caller, caller, 1.0)


def test_a_caller_with_few_images_does_not_wait_for_one_with_many() -> None:
    queue = FairQueue[str]()
    fill(queue, "bulk", [("many", 100)])
    assert order(queue, 10) == ["many"] * 10
    fill(queue, "bulk", [("few", 3)])
    assert order(queue, 7).count("few") == 3


@given(st.lists(st.integers(1, 40), min_size=2, max_size=6))
def test_callers_who_all_wait_get_the_same_number_of_turns(counts: list[int]) -> None:
    queue = FairQueue[str]()
    fill(queue, "interactive", [(str(i), n) for i, n in enumerate(counts)])
    turns = Counter(order(queue, min(counts) * len(counts)))
    assert max(turns.values()) - min(turns.values()) <= 1


def test_a_caller_whose_images_cost_more_gets_as_much_less_of_them() -> None:
    queue = FairQueue[str]()
    for _ in range(40):
        queue.push("bulk", "large", "large", 4.0)
        queue.push("bulk", "small", "small", 1.0)
    turns = Counter(order(queue, 25))
    assert turns["small"] >= 4 * (turns["large"] - 1)
    assert turns["large"] >= 4


def test_interactive_work_goes_first_and_bulk_keeps_its_share() -> None:
    queue = FairQueue[str]()
    fill(queue, "bulk", [("bulk", 100)])
    fill(queue, "interactive", [("urgent", 100)])
    first = order(queue, 80)
    assert first[0] == "urgent"
    assert first.count("bulk") == 80 * BULK_SHARE


def test_bulk_takes_all_that_nobody_urgent_wants() -> None:
    queue = FairQueue[str]()
    fill(queue, "bulk", [("bulk", 10)])
    assert order(queue, 10) == ["bulk"] * 10
    fill(queue, "bulk", [("bulk", 4)])
    fill(queue, "interactive", [("urgent", 1)])
    assert order(queue, 2) == ["urgent", "bulk"], (
        "what bulk took of idle time is not held against it"
    )


def test_a_large_bulk_image_comes_to_its_turn_under_urgent_load() -> None:
    queue = FairQueue[str]()
    queue.push("bulk", "bulk", "bulk", 20.0)
    taken = list[str]()
    while "bulk" not in taken:
        queue.push("interactive", "urgent", "urgent", 1.0)
        taken += order(queue, 1)
    assert len(taken) == pytest.approx(1 + 20 * (1 - BULK_SHARE) / BULK_SHARE, abs=1)


@given(STEPS, PRIORITIES, CALLERS)
def test_no_more_comes_ahead_than_was_foretold(
    steps: list[Any], priority: Priority, caller: str
) -> None:
    queue = FairQueue[str]()
    for step in steps:
        if step[0] == "push":
            queue.push(step[1], step[2], "other", 1.0)
        elif step[0] == "take":
            queue.take()
    foretold = queue.ahead(priority, caller)
    entry = queue.push(priority, caller, "mine", 1.0)
    before = 0
    while (following := queue.next()) is not entry:
        assert following is not None
        before += following.line.lane is entry.line.lane
        queue.take()
    assert before <= foretold
