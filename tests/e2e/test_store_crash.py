"""kill -9 of the engine in the middle of writing: nothing acknowledged is lost."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from lookalike_service.errors import StoreUnavailable
from lookalike_service.store.embedded import EmbeddedStore
from tests.contract.stores import collection, near, point, vector

T = TypeVar("T")


def kill(store: EmbeddedStore) -> None:
    """All processes of the engine."""
    for process in store.engine.processes():
        if process.pid is not None:
            os.kill(process.pid, signal.SIGKILL)


def persistent(call: Callable[[], T]) -> T:
    """Call again until the store answers, as a client would: 503 means try again."""
    while True:
        with contextlib.suppress(StoreUnavailable):
            return call()


@pytest.mark.parametrize("milliseconds", [5, 40, 120])
def test_a_killed_engine_loses_nothing_acknowledged(tmp_path: Path, milliseconds: int) -> None:
    store = EmbeddedStore(tmp_path)
    store.create_collection(collection("c"))
    killer = threading.Timer(milliseconds / 1000, kill, [store])
    acknowledged: list[int] = []
    killer.start()

    def write_until_killed() -> None:
        for at in range(0, 1_000_000, 7):
            seeds = range(at, at + 7)
            store.upsert("c", [point(seed, a=seed) for seed in seeds])
            acknowledged.extend(seeds)

    with pytest.raises(StoreUnavailable):
        write_until_killed()

    records = persistent(
        lambda: store.retrieve("c", [point(seed).id for seed in acknowledged], vectors=True)
    )
    assert [record.payload["metadata"]["a"] for record in records] == acknowledged
    for record, seed in zip(records, acknowledged, strict=True):
        near(record.vector, vector(seed))
    assert store.count("c") - len(acknowledged) in range(8)  # the batch it died in, or part of it
    store.close()


def test_every_thread_gets_over_a_crash(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path)
    store.create_collection(collection("c"))
    failures: list[BaseException] = []
    wrote = threading.Barrier(5)

    def write(worker: int) -> None:
        try:
            store.upsert("c", [point(worker * 1000)])
            wrote.wait()
            for i in range(1, 40):
                one = point(worker * 1000 + i)
                persistent(partial(store.upsert, "c", [one]))
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=write, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    wrote.wait()
    kill(store)
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.count("c") == 4 * 40
    store.close()


@pytest.mark.parametrize("milliseconds", [1, 20])
def test_arrays_killed_while_replaced_are_the_old_or_the_new(
    tmp_path: Path, milliseconds: int
) -> None:
    store = EmbeddedStore(tmp_path)
    size = 500_000  # four chunks
    store.put_arrays("run", "x", {"a": np.full(size, 0.0)})
    threading.Timer(milliseconds / 1000, kill, [store]).start()
    written = [0.0]

    def write_until_killed() -> None:
        while True:
            store.put_arrays("run", "x", {"a": np.full(size, written[-1] + 1)})
            written.append(written[-1] + 1)

    with pytest.raises(StoreUnavailable):
        write_until_killed()
    arrays = persistent(lambda: store.arrays("run", "x"))
    assert arrays is not None
    (value,) = np.unique(arrays["a"])
    assert value in {written[-1], written[-1] + 1}
    store.put_arrays("run", "x", {"a": np.zeros(1)})
    store.close()
