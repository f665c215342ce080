"""The lock that calls of an engine wait at."""

from __future__ import annotations

import threading

from lookalike_service.store.fair_lock import FairLock


def test_it_is_given_in_the_order_it_was_asked_for() -> None:
    lock, order = FairLock(), list[int]()

    def work(number: int) -> None:
        with lock:
            order.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(20)]
    with lock:
        for waiting, thread in enumerate(threads, 1):
            thread.start()
            while len(lock._waiting) < waiting:
                pass
    for thread in threads:
        thread.join()
    assert order == list(range(20))


def test_it_excludes() -> None:
    lock, inside, most = FairLock(), 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(500):
            with lock:
                inside += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert not lock._held


def test_an_error_inside_passes_it_on() -> None:
    lock = FairLock()
    for _ in range(2):
        try:
            with lock:
                raise KeyError
        except KeyError:
            pass
    with lock:
        assert lock._held
