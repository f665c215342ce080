"""Indexing over a Ray cluster leaves what indexing in one process does: on a local Ray of two workers."""

from __future__ import annotations

import json
import pickle
import socket
import tarfile
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from lookalike.errors import InvalidInput, UnknownCollection
from lookalike_indexer.app import run
from lookalike_indexer.indexing import index_into
from lookalike_indexer.pipeline import Task
from lookalike_indexer.ray_engine import BLOCK_ITEMS, Pool, RayEngine, Workers
from lookalike_indexer.ray_worker import Worker, answer
from lookalike_indexer.sources.item import Item
from lookalike_indexer.stages import Stages
from lookalike_indexer.targets import open_direct
from lookalike_service.settings import get_settings
from tests.fakes.qdrant import QdrantFake
from tests.pictures import broken, jpeg

NOWHERE = "http://127.0.0.1:9"
FILES = BLOCK_ITEMS + 60  # two blocks, one for each worker


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("LOOKALIKE_MODEL", "pixels:8x8-grey")
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.fixture
def sources(tmp_path: Path) -> list[Path]:
    """A folder with a copy and a broken file, a zip and a tar."""
    root = tmp_path / "photos"
    root.mkdir()
    for i in range(FILES):
        (root / f"{i:03}.jpg").write_bytes(jpeg(seed=i))
    (root / "zcopy.jpg").write_bytes(jpeg(seed=0))
    (root / "broken.jpg").write_bytes(broken()["truncated jpeg"].data)
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as zipped:
        zipped.writestr("cats/1.jpg", jpeg(seed=1001))
    with tarfile.open(tmp_path / "shard.tar", "w") as archive:
        for name, data in {"1.jpg": jpeg(seed=1002), "1.cls": b"7"}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, BytesIO(data))
    return [root, tmp_path / "more.zip", tmp_path / "shard.tar"]


@pytest.fixture
def ray_of_two(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    ray: Any = pytest.importorskip("ray", reason="Ray is an optional extra, and not installed")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # else it writes a token to the user's home
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield
    ray.shutdown()


def contents(fake: QdrantFake) -> dict[str, Any]:
    """Payload but for the time, and vectors, of every point, by key."""
    found = fake.client.scroll("photos", limit=10_000, with_vectors=True)[0]
    held = {}
    for point in found:
        payload = {k: v for k, v in (point.payload or {}).items() if k != "indexed_at"}
        held[payload["key"]] = (point.id, payload, point.vector)
    return held


@pytest.mark.usefixtures("ray_of_two")
def test_two_workers_store_and_report_what_one_process_does_and_go_on_from_its_journal(
    sources: list[Path],
) -> None:
    alone, spread = QdrantFake(), QdrantFake()
    with alone.listen() as url:
        target = open_direct("photos", qdrant_url=url)
        expected = index_into(target, sources, progress=None)
        target.close()
    with spread.listen() as url:
        target = open_direct("photos", qdrant_url=url, shared=True)
        index_into(target, [sources[0] / "000.jpg"], progress=None)  # without Ray
        with RayEngine(target, Workers(2, 1, 0)) as engine:
            report = index_into(target, sources, progress=None, spread=engine)
            assert engine.workers()["store"] == 2 * target.at_once
        target.close()
    assert contents(spread) == contents(alone)
    assert (report.created, report.skipped) == (expected.created - 1, 1)
    assert report.duplicates == expected.duplicates == 1
    assert report.failures == expected.failures
    (line,) = Path(report.errors_path).read_text().splitlines()
    assert json.loads(line)["path"] == str(sources[0] / "broken.jpg")
    assert set(report.busy) == {"read", "decode", "model", "store"}
    assert report.batch_size > 1


def test_what_stops_a_worker_is_raised_where_the_run_began() -> None:
    with QdrantFake().listen() as url:
        worker = Worker("no-such", url, {})
        item = Item("a.jpg", "a.jpg", jpeg)
        (said,) = worker({"items": [pickle.dumps([item])]})["answer"]
    with pytest.raises(UnknownCollection, match="no-such"):
        answer(said, [Task(item, "")])


def test_a_worker_answers_in_order_what_became_of_each_item(tmp_path: Path) -> None:
    with QdrantFake().listen() as url:
        target = open_direct("photos", qdrant_url=url, shared=True)
        target.create(model=None, indexes={})
        target.close()
        names = ["good.jpg", "none.jpg", "bad.jpg", "fine.jpg"]
        for seed, name in enumerate(names):
            (tmp_path / name).write_bytes(b"bad" if name == "bad.jpg" else jpeg(seed=seed))
        items = [Item(name, name, (tmp_path / name).read_bytes) for name in names]
        (tmp_path / "none.jpg").unlink()
        (said,) = Worker("photos", url, {})({"items": [pickle.dumps(items)]})["answer"]
    found = answer(said, [Task(item, "") for item in items])
    assert [one.status for one in found.outcomes] == ["created", None, None, "created"]
    codes = [one.error and one.error.code for one in found.outcomes]
    assert codes == [None, "unreadable_file", "unsupported_image", None]
    stages = Stages()
    stages.add(found.stages)
    assert stages.mean_batch("model") == 2
    assert stages.seconds("decode") > 0


@pytest.mark.parametrize(
    ("asked", "resources", "machines", "fitted"),
    [
        (Workers(), {"CPU": 2}, 1, Pool(1, 2, 0)),
        (Workers(), {"CPU": 64, "GPU": 8}, 2, Pool(8, 8, 1)),
        (Workers(gpus=0.5), {"CPU": 64, "GPU": 8}, 2, Pool(16, 4, 0.5)),
        (Workers(), {"CPU": 96}, 3, Pool(3, 32, 0)),
        (Workers(5, 3, 0), {"CPU": 16, "GPU": 1}, 1, Pool(5, 3, 0)),
    ],
)
def test_by_default_there_is_a_worker_for_each_gpu_or_machine(
    asked: Workers, resources: dict[str, float], machines: int, fitted: Pool
) -> None:
    assert asked.fitted(resources, machines) == fitted


def test_a_worker_that_fits_nowhere_is_refused_at_once() -> None:
    with pytest.raises(InvalidInput, match="4 CPUs and 1 GPUs does not fit"):
        Workers(1, 4, 1).fitted({"CPU": 8}, 1)


def test_a_cluster_that_is_away_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="Ray is an optional extra, and not installed")
    target = open_direct("photos", qdrant_url=NOWHERE, shared=True)
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))  # nobody listens
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{bound.getsockname()[1]}")
        with pytest.raises(ConnectionError, match=r"RAY_ADDRESS=127\.0\.0\.1"):
            RayEngine(target, Workers())
    target.close()


def test_workers_write_to_a_server_not_to_a_folder() -> None:
    with pytest.raises(InvalidInput, match="Qdrant server"):
        open_direct("photos", shared=True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--workers", "2"], "for --engine ray"),
        (["--worker-gpus", "0.5", "--direct"], "for --engine ray"),
        (["--engine", "ray"], "name a Qdrant server with --qdrant-url"),
        (["--engine", "ray", "--data", "folder"], "name a Qdrant server with --qdrant-url"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    options: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as ended:
        run(["index", str(tmp_path), "-c", "photos", *options])
    assert ended.value.code == 2
    assert words in " ".join(capsys.readouterr().err.split())
