"""A migration in real processes: killed in the middle, written to on the way, cut over under load."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from lookalike import Lookalike
from tests.e2e.live import live_service
from tests.fakes.jobs import until
from tests.pictures import encoded

OLD, NEW = "pixels:24x24-grey", "pixels:40x40-rgb"
COUNT = 500


@pytest.fixture(autouse=True)
def encoders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOKALIKE_MODEL", OLD)
    monkeypatch.setenv("LOOKALIKE_MODELS", f'["{NEW}"]')


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pictures")
    for i in range(COUNT):
        (root / f"{i}.png").write_bytes(picture(i))
    return root


def picture(i: int) -> bytes:
    """A PNG of coarse noise, another for each number."""
    coarse = np.random.default_rng(i).integers(0, 256, (12, 12, 3), np.uint8)
    pixels: NDArray[np.uint8] = coarse.repeat(20, axis=0).repeat(20, axis=1)
    return encoded(pixels, "png")


def test_a_migration_survives_kill_9_and_loses_nothing_that_was_written_on_the_way(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOKALIKE_ORIGINALS", str(folder))
    with live_service(tmp_path) as started, Lookalike(started.url) as client:
        collection = client.collection("c")
        collection.index(folder, progress=None)
        job = collection.migrate(NEW)
        until(lambda: collection.migration().target.points > 0, "it has begun")
        collection.add([picture(10_000)], ids=["added"])
        assert collection.delete(["7.png"]) == 1
        assert collection.migration().state == "filling"
        started.process.send_signal(signal.SIGKILL)
        started.process.wait()
    with live_service(tmp_path) as started, Lookalike(started.url) as client:
        collection = client.collection("c")
        assert client.job(job.id).wait(timeout=120).state == "succeeded"
        found = collection.migration()
        assert (found.state, found.missing, found.target.points) == ("ready", 0, COUNT)
        assert found.report is not None
        assert (found.report.from_thumbnails, found.report.not_migrated) == (0, 0)
        with searching(client) as wrong:
            collection.cut_over()
            collection.roll_back()
            collection.cut_over()
        assert not wrong
        assert collection.describe().model == NEW
        assert "7.png" not in {image.id for image in collection.images()}
        assert collection.search(picture(10_000), limit=1)[0].id == "added"
        started.process.send_signal(signal.SIGKILL)
        started.process.wait()
    with live_service(tmp_path) as started, Lookalike(started.url) as client:
        collection = client.collection("c")
        assert (collection.migration().state, collection.describe().model) == ("cut_over", NEW)
        assert collection.finish_migration().former is None
        assert collection.search(picture(3), limit=1)[0].id == "3.png"


@contextlib.contextmanager
def searching(client: Lookalike) -> Iterator[list[str]]:
    """Searches all the while; what was answered wrongly."""
    collection, stop = client.collection("c"), threading.Event()
    wrong, models = list[str](), set[str]()

    def search() -> None:
        while not stop.is_set():
            found = collection.search(picture(3), limit=3)
            models.add(found.model)
            # By its own encoder the picture is its own best hit; by the other it would be anything.
            if [hit.id for hit in found][:1] != ["3.png"] or found[0].score < 0.999:
                wrong.append(f"{found.model}: {found.hits}")

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield wrong
    finally:
        until(lambda: models == {OLD, NEW}, "both encoders have answered", 30)
        stop.set()
        for thread in threads:
            thread.join()
