"""The engine process: who may open a folder, what survives, what crosses the boundary."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from structlog.testing import capture_logs

from lookalike_service.errors import StoreLocked, StoreUnavailable, UnknownCollection
from lookalike_service.store import folder_lock
from lookalike_service.store.edge_engine import EdgeEngine
from lookalike_service.store.embedded import EmbeddedStore
from lookalike_service.store.factory import open_store
from lookalike_service.store.filters import EVERYTHING
from tests.contract.stores import collection, near, point, settings, vector


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    opened = EmbeddedStore(tmp_path / "data")
    yield opened
    opened.close()


def kill(store: EmbeddedStore) -> None:
    """All that answer calls."""
    for pid in pids(store):
        os.kill(pid, signal.SIGKILL)


def pids(store: EmbeddedStore) -> set[int]:
    return {process.pid for process in store.engine.processes() if process.pid is not None}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)


def started(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True)


def test_the_factory_opens_the_embedded_store_in_the_data_folder(tmp_path: Path) -> None:
    store = open_store(settings(data=tmp_path / "a" / "b"))
    store.create_collection(collection("c"))
    assert store.kind == "embedded"
    assert (tmp_path / "a" / "b" / "collections" / "c").is_dir()
    store.close()


def test_reopening_keeps_everything(tmp_path: Path) -> None:
    points = [point(i, a=i) for i in range(300)]
    first = EmbeddedStore(tmp_path)
    first.create_collection(collection("c"))
    first.create_index("c", "metadata.a", "integer")
    first.upsert("c", points)
    first.write_labels("c", "k", [points[0].id], np.array([5]))
    first.put_document("job", "1", {"a": 1})
    first.put_arrays("run", "1", {"x": np.arange(5)})
    first.close()

    again = EmbeddedStore(tmp_path)
    assert again.collection("c").indexes == {"metadata.a": "integer"}
    assert again.count("c") == 300
    (record,) = again.retrieve("c", [points[0].id], vectors=True)
    assert record.payload == {"key": "0", "metadata": {"a": 0}, "clusters": {"k": 5}}
    near(record.vector, vector(0))
    assert again.document("job", "1") == {"a": 1}
    np.testing.assert_array_equal((again.arrays("run", "1") or {})["x"], np.arange(5))
    again.close()


def test_a_second_opener_is_refused_and_told_who_has_the_folder(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path)
    for _ in range(2):
        with pytest.raises(StoreLocked, match=f"process {os.getpid()};"):
            EmbeddedStore(tmp_path)
        store.check()  # the engine's own process changes nothing about it
    store.close()
    EmbeddedStore(tmp_path).close()


def test_another_process_is_refused_too(store: EmbeddedStore, tmp_path: Path) -> None:
    store.check()
    program = (
        "import sys, pathlib; from lookalike_service.store.embedded import EmbeddedStore;"
        "EmbeddedStore(pathlib.Path(sys.argv[1]))"
    )
    done = run("-c", program, str(tmp_path / "data"))
    assert f"StoreLocked: the store in {tmp_path / 'data'} is in use by process" in done.stderr
    assert str(os.getpid()) in done.stderr


def test_a_dead_engine_is_an_error_once_and_is_then_started_again(store: EmbeddedStore) -> None:
    store.create_collection(collection("c"))
    store.upsert("c", [point(1)])
    before = pids(store)
    kill(store)
    with capture_logs() as logs:
        for ask in (lambda: store.count("c"), lambda: store.documents("run")):  # one process each
            with pytest.raises(StoreUnavailable, match="repeat the call"):
                ask()
    assert {line["pid"] for line in logs} == before
    assert {line["exit_status"] for line in logs} == {-signal.SIGKILL}
    assert store.count("c") == 1
    assert store.documents("run") == []
    assert pids(store).isdisjoint(before)


def test_a_closed_store_says_so_and_its_engine_is_gone(store: EmbeddedStore) -> None:
    store.check()
    ours = pids(store)
    store.close()
    store.close()
    assert ours
    assert not any(psutil.pid_exists(pid) for pid in ours)
    with pytest.raises(StoreUnavailable, match="closed"):
        store.check()


def test_the_engine_does_not_run_the_main_module_again(tmp_path: Path) -> None:
    program = tmp_path / "main.py"
    program.write_text(
        "import sys, pathlib\n"
        "print('run')\n"
        "from lookalike_service.store.embedded import EmbeddedStore\n"
        "store = EmbeddedStore(pathlib.Path(sys.argv[1]))\n"
        "store.check()\n"
        "store.close()\n"
    )
    done = run(str(program), str(tmp_path / "data"))
    assert done.stdout.split() == ["run"]


def test_errors_cross_the_boundary_with_their_context(store: EmbeddedStore) -> None:
    with pytest.raises(UnknownCollection) as caught:
        store.engine.read("count", "nowhere", EVERYTHING)
    assert caught.value.detail == "there is no collection 'nowhere'"


def test_what_a_killed_create_drop_or_optimize_leaves_is_cleared(tmp_path: Path) -> None:
    engine = EdgeEngine(tmp_path / "shards", tmp_path / "labels.db")
    engine.create("c", "v", 4)
    engine.upsert("c", [point(1).id], [{}], "v", np.eye(1, 4, dtype=np.float32))
    engine.close()
    for leftover in (".creating-d", ".dropping-e", "c/temp_segments"):
        (tmp_path / "shards" / leftover / "segments").mkdir(parents=True)
        (tmp_path / "shards" / leftover / "segments" / "half").write_bytes(b"x")

    again = EdgeEngine(tmp_path / "shards", tmp_path / "labels.db")
    assert again.count("c", EVERYTHING) == 1
    again.create("d", "v", 4)
    assert again.count("d", EVERYTHING) == 0
    again.close()
    assert sorted(path.name for path in (tmp_path / "shards").iterdir()) == ["c", "d"]
    assert not (tmp_path / "shards" / "c" / "temp_segments").exists()


@pytest.mark.parametrize("fork", [False, True], ids=["alone", "with a fork that lives on"])
def test_the_engine_ends_when_its_parent_is_killed(tmp_path: Path, fork: bool) -> None:
    program = (
        "import os, sys, pathlib, time; from lookalike_service.store.embedded import EmbeddedStore;"
        "store = EmbeddedStore(pathlib.Path(sys.argv[1])); store.check();"
        "forked = os.fork() if sys.argv[2] == 'True' else 0;"
        "forked or sys.argv[2] == 'True' and time.sleep(600);"
        "print(forked, *[p.pid for p in store.engine.processes()], flush=True); time.sleep(600)"
    )
    with started("-c", program, str(tmp_path), str(fork)) as parent:
        assert parent.stdout is not None
        forked, *engines = map(int, parent.stdout.readline().split())
        ending = [psutil.Process(engine) for engine in engines]
        parent.kill()
    try:
        assert psutil.wait_procs(ending, timeout=30)[1] == []
    finally:
        if fork:
            os.kill(forked, signal.SIGKILL)


def test_a_folder_stays_locked_while_the_engine_of_a_killed_owner_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = (
        "import sys, pathlib, time; from lookalike_service.store.embedded import EmbeddedStore;"
        "store = EmbeddedStore(pathlib.Path(sys.argv[1])); store.check();"
        "print(*[p.pid for p in store.engine.processes()], flush=True); time.sleep(600)"
    )
    with started("-c", program, str(tmp_path)) as parent:
        assert parent.stdout is not None
        engine = psutil.Process(int(parent.stdout.readline().split()[0]))
        engine.suspend()  # as if in a long call
        parent.kill()
    monkeypatch.setattr(folder_lock, "_ORPHAN_SECONDS", 0.2)
    try:
        with pytest.raises(StoreLocked):
            EmbeddedStore(tmp_path)
    finally:
        engine.resume()
    engine.wait(timeout=30)
    EmbeddedStore(tmp_path).close()


def test_a_folder_can_be_opened_right_after_its_owner_was_killed(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib, time; from lookalike_service.store.embedded import EmbeddedStore;"
        "store = EmbeddedStore(pathlib.Path(sys.argv[1])); store.put_document('a', 'b', {'c': 1});"
        "print('ready', flush=True); time.sleep(600)"
    )
    with started("-c", program, str(tmp_path)) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        parent.kill()
    store = EmbeddedStore(tmp_path)
    assert store.document("a", "b") == {"c": 1}
    store.close()
