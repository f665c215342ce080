"""The lock that many share or one has alone."""

from __future__ import annotations

import threading

import pytest

from lookalike_service.store.shared_lock import SharedLock
from tests.fakes.jobs import until


def test_those_who_share_it_are_in_it_together() -> None:
    lock, together = SharedLock(), threading.Barrier(3)

    def share() -> None:
        with lock.shared():
            together.wait(10)  # broken unless all three are inside

    threads = [threading.Thread(target=share) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not together.broken


def test_who_has_it_alone_is_alone_and_goes_before_those_who_come_to_share_it() -> None:
    lock, order = SharedLock(), list[str]()
    inside, leave = threading.Event(), threading.Event()

    def first() -> None:
        with lock.shared():
            inside.set()
            leave.wait(10)
            order.append("first")

    def alone() -> None:
        with lock.alone():
            order.append("alone")

    def later() -> None:
        with lock.shared():
            order.append("later")

    threads = [threading.Thread(target=call) for call in (first, alone, later)]
    threads[0].start()
    assert inside.wait(10)
    threads[1].start()
    until(lambda: lock._wanted_alone == 1, "one waits to have it alone")
    threads[2].start()
    leave.set()
    for thread in threads:
        thread.join(10)
    assert order == ["first", "alone", "later"]


def test_an_error_inside_lets_go_of_it() -> None:
    lock = SharedLock()
    for inside in (lock.shared, lock.alone, lock.shared):
        with pytest.raises(ZeroDivisionError), inside():
            raise ZeroDivisionError
