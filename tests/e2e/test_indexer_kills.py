"""kill -9 of the indexer and the service at random moments: every good file is there once, all else told.

LOOKALIKE_KILLS says how many times; 20 is 5,000 files with 100 broken ones, and takes minutes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from examples.demo.server import COMMAND, LiveService, free_port, wait_until_ready
from lookalike import Lookalike
from lookalike_service.settings import Settings
from lookalike_service.store.factory import open_store
from tests.pictures import broken, jpeg

KILLS = int(os.environ.get("LOOKALIKE_KILLS", "2"))
FILES, BROKEN = 250 * KILLS, 5 * KILLS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures that all differ, in ten folders, with broken ones of every kind among them."""
    root = tmp_path_factory.mktemp("pictures")
    kinds = sorted(broken().items())
    for i in range(FILES):
        path = root / f"{i % 10}" / f"{i:05}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(jpeg(seed=i))
    for i in range(BROKEN):
        name, kind = kinds[i % len(kinds)]
        # Each differs from the others: trailing bytes leave what is wrong with them as it is.
        data = kind.data + b"%d" % i if kind.data and "truncated" not in name else kind.data
        (root / f"{i % 10}" / f"broken{i:03}.jpg").write_bytes(data)
    return root


class Processes:
    """The service and the indexer, started anew as often as they are killed."""

    def __init__(self, home: Path, pictures: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.errors = home / "errors.jsonl"
        self._home, self._pictures = home, pictures
        self._environment = os.environ | {
            "XDG_STATE_HOME": str(home / "state"),
            "LOOKALIKE_URL": self.url,
            "LOOKALIKE_PORT": str(self.port),
            "LOOKALIKE_DATA": str(home / "data"),
            "LOOKALIKE_MODEL": "pixels:8x8-grey",
            "BENTOML_DO_NOT_TRACK": "True",
        }

    def service(self) -> subprocess.Popen[bytes]:
        return self._start("serve")

    def indexer(self, *more: str) -> subprocess.Popen[bytes]:
        arguments = [str(self._pictures), "-c", "photos", "--errors", str(self.errors)]
        return self._start("index", *arguments, *more)

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self._home / "log").open("ab") as log:
            return subprocess.Popen(
                [COMMAND, *arguments], env=self._environment, stdout=log, stderr=log
            )

    def wait_for_service(self, service: subprocess.Popen[bytes]) -> None:
        wait_until_ready(LiveService(self.port, service, self._home / "log"))

    def points(self, http: httpx.Client) -> int:
        """How many images the service has; 0 while nobody knows."""
        with contextlib.suppress(httpx.TransportError):
            answer = http.get("/v1/collections/photos")
            if answer.status_code == 200:
                return int(answer.json()["points"])
        return 0

    def noted(self) -> int:
        """How many images the indexer's journal has; 0 while nobody knows."""
        for path in (self._home / "state").rglob("*.sqlite"):
            with (
                contextlib.suppress(sqlite3.Error),
                contextlib.closing(sqlite3.connect(path)) as db,
            ):
                return int(db.execute("SELECT count(*) FROM image").fetchone()[0])
        return 0

    def log(self) -> str:
        return (self._home / "log").read_text()[-4000:]


@contextlib.contextmanager
def ended(*processes: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def test_all_is_there_once_however_often_indexer_and_service_are_killed(
    tmp_path: Path, folder: Path
) -> None:
    draw = random.Random(KILLS)  # noqa: S311 - reproducible
    processes = Processes(tmp_path, folder)
    # One client: a new one for every question takes a third of a processor from what is watched.
    http = httpx.Client(base_url=processes.url, timeout=10)
    service, indexer = processes.service(), None
    # As often the one as the other: of two kills, each is of one.
    victims = draw.sample(["indexer", "service"] * ((KILLS + 1) // 2), KILLS)
    try:
        processes.wait_for_service(service)
        indexer = processes.indexer()
        for kill, victim in enumerate(victims):
            # Spread over the work; at times at once again, while something is just starting.
            if kill % 4 != 3:
                reached = FILES * (kill + draw.random()) / (KILLS + 1)
                while processes.points(http) < reached and indexer.poll() is None:
                    time.sleep(0.02)
            else:
                time.sleep(draw.uniform(0, 0.3))
            if victim == "indexer":
                # It may have given up on a service that is away; the same command goes on either way.
                assert indexer.poll() in (None, 2, -signal.SIGKILL), processes.log()
                indexer.kill()
                indexer.wait()
                indexer = processes.indexer()
            else:
                service.kill()
                service.wait()
                service = processes.service()
                if kill % 4 != 2:
                    processes.wait_for_service(service)
        processes.wait_for_service(service)
        while indexer.wait(300) == 2:
            indexer = processes.indexer()
        assert indexer.returncode == 3, processes.log()
        with Lookalike(processes.url) as client:
            images = list(client.collection("photos").images())
            assert client.collection("photos").describe().points == len(images)
    finally:
        http.close()
        for process in (service, indexer):
            if process is not None:
                process.kill()
                process.wait()
    check([(image.id, image.sha256) for image in images], processes.errors, folder)


def test_all_is_there_once_however_often_direct_indexing_is_killed(
    tmp_path: Path, folder: Path
) -> None:
    draw = random.Random(KILLS)  # noqa: S311 - reproducible
    processes = Processes(tmp_path, folder)
    arguments = ["--direct", "--data", str(tmp_path / "data")]
    kills = (KILLS + 1) // 2
    for kill in range(kills):
        reached = FILES * (kill + draw.random()) / (kills + 1)
        indexer = processes.indexer(*arguments)
        with ended(indexer):
            while processes.noted() < reached and indexer.poll() is None:
                time.sleep(0.01)
            assert indexer.poll() is None, processes.log()
    indexer = processes.indexer(*arguments)
    assert indexer.wait(300) == 3, processes.log()
    store = open_store(Settings(data=tmp_path / "data", qdrant_url=None))
    records, _ = store.scroll("photos", limit=10**6)
    assert store.count("photos") == len(records)
    store.close()
    held = [(str(record.payload["key"]), str(record.payload["sha256"])) for record in records]
    check(held, processes.errors, folder)


def check(held: list[tuple[str, str]], errors: Path, folder: Path) -> None:
    """Every good file once, every broken one reported once."""
    good = [path for path in folder.rglob("*.jpg") if not path.name.startswith("broken")]
    wanted = [
        (path.relative_to(folder).as_posix(), hashlib.sha256(path.read_bytes()).hexdigest())
        for path in good
    ]
    assert sorted(held) == sorted(wanted)
    reported = [json.loads(line)["path"] for line in errors.read_text().splitlines()]
    assert sorted(reported) == sorted(str(path) for path in folder.rglob("broken*.jpg"))
