"""What tests of jobs stand on: waiting with a deadline, runners, and computations for the worker."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.progress import Progress
from lookalike_service.errors import InvalidParameters, StoreUnavailable
from lookalike_service.jobs.records import FINISHED
from lookalike_service.jobs.runner import JobRunner, Workflow
from lookalike_service.schemas.jobs import Job
from lookalike_service.settings import Settings
from tests.fakes.store import FakeStore

Arrays = dict[str, NDArray[Any]]


def until(holds: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Return as soon as it holds; fail if it does not within the deadline."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.01)


def finished(runner: JobRunner, id: str) -> Job:
    """The job once it has ended."""
    until(lambda: runner.get(id).state in FINISHED, f"job {id} ends")
    return runner.get(id)


@contextlib.contextmanager
def runner(store: FakeStore, workflow: Workflow, *, start: bool = True) -> Iterator[JobRunner]:
    """A runner whose jobs of kind `clustering` do this."""
    opened = JobRunner(store, {"clustering": workflow}, Settings(job_threads=1))
    if start:
        opened.start()
    try:
        yield opened
    finally:
        opened.stop()


class ServerStore(FakeStore):
    """A store that several replicas share."""

    kind = "qdrant"


class LeavingStore(FakeStore):
    """A store whose documents cannot be reached while `away` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.away = threading.Event()

    def _answer(self) -> None:
        if self.away.is_set():
            raise StoreUnavailable("the store is away")

    def put_document(self, kind: str, key: str, body: Mapping[str, Any]) -> None:
        self._answer()
        super().put_document(kind, key, body)

    def document(self, kind: str, key: str) -> dict[str, Any] | None:
        self._answer()
        return super().document(kind, key)

    def documents(self, kind: str) -> list[tuple[str, dict[str, Any]]]:
        self._answer()
        return super().documents(kind)


# -- computations, run in the worker's process as `tests.fakes.jobs:NAME`


def double(
    arrays: Arrays, parameters: dict[str, Any], progress: Progress
) -> tuple[Arrays, dict[str, Any]]:
    progress("doubling", 1, 2)
    none = np.zeros((0, 3), np.float32)
    out = {"doubled": arrays["vectors"] * 2, "none": none}
    threads = os.environ["OMP_NUM_THREADS"]
    return out, {"pid": os.getpid(), "threads": threads, **parameters}


def never_ends(
    arrays: Arrays, parameters: dict[str, Any], progress: Progress
) -> tuple[Arrays, dict[str, Any]]:
    progress("computing", 0, None)
    while True:  # as a library would that holds the process
        pass


def tells_much(
    arrays: Arrays, parameters: dict[str, Any], progress: Progress
) -> tuple[Arrays, dict[str, Any]]:
    for i in range(3):
        progress("talking", i, 3)
    return {}, {"said": "much"}


def refuses(
    arrays: Arrays, parameters: dict[str, Any], progress: Progress
) -> tuple[Arrays, dict[str, Any]]:
    raise InvalidParameters("k is 9; allowed: 1 to 3", row=4)


def fails(
    arrays: Arrays, parameters: dict[str, Any], progress: Progress
) -> tuple[Arrays, dict[str, Any]]:
    raise ZeroDivisionError("of course")


def wants_too_much(
    arrays: Arrays, parameters: dict[str, Any], progress: Progress
) -> tuple[Arrays, dict[str, Any]]:
    raise MemoryError


def kills_itself(
    arrays: Arrays, parameters: dict[str, Any], progress: Progress
) -> tuple[Arrays, dict[str, Any]]:
    os.kill(os.getpid(), 9)
    raise AssertionError
