"""The computing process: its answers, its errors, its end, and that what follows works."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from lookalike_service.analysis.progress import Progress, silent
from lookalike_service.errors import Internal, InvalidParameters, StoreUnavailable
from lookalike_service.jobs.worker import Cancelled, Worker
from tests.fakes.jobs import until

VECTORS = np.arange(6, dtype=np.float32).reshape(3, 2)


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    opened = Worker(threads=1)
    yield opened
    opened.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return made(tmp_path / "one")


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """The folder of another job."""
    return made(tmp_path / "other")


def made(folder: Path) -> Path:
    folder.mkdir()
    np.save(folder / "vectors.npy", VECTORS)
    return folder


def compute(
    worker: Worker,
    folder: Path,
    name: str = "double",
    *,
    progress: Progress = silent,
    cancel: threading.Event | None = None,
    **parameters: Any,
) -> tuple[dict[str, Any], dict[str, Any]]:
    return worker.compute(
        f"tests.fakes.jobs:{name}", folder, parameters, progress, cancel or threading.Event()
    )


def test_arrays_and_figures_come_back_with_progress(worker: Worker, folder: Path) -> None:
    seen: list[tuple[str, int, int | None]] = []
    arrays, figures = compute(worker, folder, k=3, progress=lambda *call: seen.append(call))
    np.testing.assert_array_equal(arrays["doubled"], VECTORS * 2)
    assert arrays["none"].shape == (0, 3), "an array without elements comes back too"
    assert figures["k"] == 3
    assert figures["threads"] == "1"
    assert figures["pid"] != os.getpid()
    assert seen == [("doubling", 1, 2)]


def test_the_process_stays_warm_between_computations(
    worker: Worker, folder: Path, other: Path
) -> None:
    assert compute(worker, folder)[1]["pid"] == compute(worker, other)[1]["pid"]


def test_an_error_keeps_its_class_text_and_context(worker: Worker, folder: Path) -> None:
    with pytest.raises(InvalidParameters, match="allowed: 1 to 3") as caught:
        compute(worker, folder, "refuses")
    assert caught.value.context == {"row": 4}
    compute(worker, folder)


def test_an_unexpected_error_is_named_and_the_process_goes_on(worker: Worker, folder: Path) -> None:
    with pytest.raises(Internal, match="ZeroDivisionError: of course"):
        compute(worker, folder, "fails")
    compute(worker, folder)


def test_too_little_memory_says_to_use_fewer_points(worker: Worker, folder: Path) -> None:
    with pytest.raises(InvalidParameters, match="fewer points"):
        compute(worker, folder, "wants_too_much")


def test_a_killed_process_is_an_error_and_the_next_computation_starts_another(
    worker: Worker, folder: Path
) -> None:
    with pytest.raises(Internal, match="computing process died"):
        compute(worker, folder, "kills_itself")
    np.testing.assert_array_equal(compute(worker, folder)[0]["doubled"], VECTORS * 2)


def test_a_process_killed_between_computations_is_replaced(
    worker: Worker, folder: Path, other: Path
) -> None:
    process = psutil.Process(compute(worker, folder)[1]["pid"])
    process.kill()  # nobody waits until it is gone
    assert compute(worker, other)[1]["pid"] != process.pid


def test_cancelling_ends_a_computation_that_never_would(worker: Worker, folder: Path) -> None:
    cancel = threading.Event()
    with pytest.raises(Cancelled):  # once it computes
        compute(worker, folder, "never_ends", progress=lambda *_: cancel.set(), cancel=cancel)
    compute(worker, folder)


def test_an_answer_never_reaches_the_next_computation(
    worker: Worker, folder: Path, other: Path
) -> None:
    def away(stage: str, done: int, total: int | None) -> None:
        raise StoreUnavailable("the store is away")

    with pytest.raises(StoreUnavailable):
        compute(worker, folder, "tells_much", progress=away)
    seen: list[str] = []
    _, figures = compute(worker, other, progress=lambda stage, *_: seen.append(stage))
    assert "said" not in figures
    assert seen == ["doubling"]


def test_the_process_ends_with_a_killed_parent(folder: Path) -> None:
    program = (
        "import sys, threading, pathlib\n"
        "from lookalike_service.jobs.worker import Worker\n"
        "worker = Worker(1)\n"
        "tell = lambda *_: print(worker._process.pid, flush=True)\n"
        "worker.compute('tests.fakes.jobs:never_ends', pathlib.Path(sys.argv[1]), {}, tell,"
        " threading.Event())\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(folder)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        parent.kill()
    until(lambda: not psutil.pid_exists(pid), "the computing process is gone")
