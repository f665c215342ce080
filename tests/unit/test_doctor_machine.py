"""Each check of `lookalike doctor` on the machine and the data folder, in health and in sickness."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import resource
import shutil
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from lookalike_service.doctor import data, machine
from lookalike_service.store.embedded import EmbeddedStore
from tests.fakes.doctor import around, only

Patch = pytest.MonkeyPatch


def cgroup(folder: Path, monkeypatch: Patch, **limits: str) -> None:
    for name, text in limits.items():
        (folder / name.replace("_", ".")).write_text(text)
    monkeypatch.setattr(machine, "CGROUP", folder)


def test_little_memory_is_warned_of_also_when_a_container_gives_it(
    tmp_path: Path, monkeypatch: Patch
) -> None:
    cgroup(tmp_path, monkeypatch, memory_max="max\n")
    assert only(machine.memory, around(model_memory_bytes=1)).state == "ok"
    cgroup(tmp_path, monkeypatch, memory_max=f"{2**30}\n")
    found = only(machine.memory, around(model_memory_bytes=1))
    assert (found.state, found.what) == ("warning", "1.0 GiB (limit of the container)")
    cgroup(tmp_path, monkeypatch, memory_max=f"{3 * 2**30}\n")
    found = only(machine.memory, around(model_memory_bytes=2 * 2**30))
    assert found.todo is not None
    assert "LOOKALIKE_MODEL_MEMORY_BYTES" in found.todo


def test_more_threads_than_the_containers_share_of_cores_are_warned_of(
    tmp_path: Path, monkeypatch: Patch
) -> None:
    cgroup(tmp_path, monkeypatch, cpu_max="max 100000")
    assert only(machine.cores, around(decode_threads=1)).state == "ok"
    cgroup(tmp_path, monkeypatch, cpu_max="50000 100000")
    found = only(machine.cores, around(decode_threads=16))
    assert (found.state, found.what) == ("warning", "0.5 may be used; 16 threads decode")


@pytest.mark.parametrize(("limit", "state"), [(1024, "warning"), (65536, "ok")])
def test_few_file_descriptors_are_warned_of(monkeypatch: Patch, limit: int, state: str) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, 2**20))
    assert only(machine.files, around()).state == state


def test_a_temporary_folder_that_cannot_be_written_is_a_problem(monkeypatch: Patch) -> None:
    assert only(machine.temporary, around()).state in {"ok", "warning"}

    def refuse() -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    assert only(machine.temporary, around()).state == "problem"


def test_a_gpu_that_torch_cannot_use_is_warned_of(tmp_path: Path, monkeypatch: Patch) -> None:
    def torch(*, usable: bool) -> None:
        cuda = SimpleNamespace(
            is_available=lambda: usable,
            device_count=lambda: 1,
            get_device_name=["NVIDIA L4"].__getitem__,
        )
        version = SimpleNamespace(cuda="13.0")
        fake = SimpleNamespace(cuda=cuda, version=version, __version__="2.15.0")
        monkeypatch.setitem(sys.modules, "torch", fake)

    monkeypatch.setattr(machine, "DRIVER", tmp_path / "version")
    torch(usable=False)
    assert only(machine.gpu, around()).what == "none; encoders run on the CPU"
    (tmp_path / "version").touch()
    found = only(machine.gpu, around())
    assert found.state == "warning"
    assert found.todo is not None
    assert "CUDA 13.0" in found.todo
    torch(usable=True)
    assert only(machine.gpu, around()).what == "NVIDIA L4; CUDA 13.0"


def test_a_store_in_use_is_told_with_its_owner_and_a_closed_one_is_free(tmp_path: Path) -> None:
    path = tmp_path / "data"
    opened = EmbeddedStore(path)
    try:
        found = only(data.lock, around(data=path))
        assert found.state == "warning"
        assert str(os.getpid()) in found.what
        with pytest.MonkeyPatch.context() as patch:
            process = SimpleNamespace(cmdline=lambda: ["python", "lookalike", "serve"])
            patch.setattr(psutil, "Process", {os.getpid(): process}.__getitem__)
            assert only(data.lock, around(data=path)).state == "ok"
    finally:
        opened.close()
    assert only(data.lock, around(data=path)).state == "ok"
    assert only(data.version, around(data=path)).state == "ok"
    assert only(data.leftovers, around(data=path)).state == "ok"
    assert only(data.folder, around(data=path)).state in {"ok", "warning"}


def test_looking_at_a_lock_does_not_take_it(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("1")
    assert only(data.lock, around(data=tmp_path)).state == "ok"
    with (tmp_path / "lock").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_folder_of_another_format_is_a_problem(tmp_path: Path) -> None:
    assert only(data.version, around(data=tmp_path)).state == "skipped"
    (tmp_path / "format.json").write_text(json.dumps({"format": 0, "engine": "older"}))
    assert only(data.version, around(data=tmp_path)).state == "problem"
    (tmp_path / "format.json").write_text("{")
    assert "cannot be read" in only(data.version, around(data=tmp_path)).what


def test_what_a_crash_left_is_warned_of(tmp_path: Path) -> None:
    (tmp_path / "collections" / "c" / "temp_segments" / "1").mkdir(parents=True)
    assert "temp_segments" in only(data.leftovers, around(data=tmp_path)).what


@pytest.mark.parametrize(("free", "state"), [(2**20, "problem"), (2**30, "warning"), (2**40, "ok")])
def test_room_for_the_store_is_looked_at(
    tmp_path: Path, monkeypatch: Patch, free: int, state: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))
    assert only(data.folder, around(data=tmp_path / "new")).state == state


def test_originals_are_in_a_folder_that_can_be_read(tmp_path: Path, monkeypatch: Patch) -> None:
    (tmp_path / "file").touch()
    assert only(data.originals, around()).state == "skipped"
    assert only(data.originals, around(originals=tmp_path)).state == "ok"
    assert only(data.originals, around(originals=tmp_path / "gone")).state == "problem"
    assert only(data.originals, around(originals=tmp_path / "file")).state == "problem"
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert only(data.originals, around(originals=tmp_path)).state == "problem"


def test_folders_that_cannot_be_written_are_told(tmp_path: Path, monkeypatch: Patch) -> None:
    assert only(data.cache, around(cache=tmp_path / "cache")).state == "ok"
    (tmp_path / "file").touch()
    assert only(data.folder, around(data=tmp_path / "file" / "data")).state == "problem"
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert only(data.folder, around(data=tmp_path / "data")).state == "problem"
    assert only(data.cache, around(cache=tmp_path / "cache")).state == "warning"
