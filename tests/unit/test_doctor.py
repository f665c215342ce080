"""Each check of `lookalike doctor`, in health and in sickness."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import resource
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from lookalike_indexer.app import run
from lookalike_service.doctor import command, data, machine, network, packages
from lookalike_service.doctor.command import CHECKS, examine
from lookalike_service.doctor.configuration import access, read_settings, store
from lookalike_service.doctor.finding import Check, Finding, Surroundings
from lookalike_service.doctor.weights import encoders
from lookalike_service.settings import Settings
from lookalike_service.store.embedded import EmbeddedStore
from tests.fakes.loopback import listening
from tests.fakes.service import fake_server

Patch = pytest.MonkeyPatch
NOWHERE = "http://127.0.0.1:9"


@dataclass(frozen=True)
class Answer:
    """What a server says to every GET of a path."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@contextlib.contextmanager
def loopback(answers: Mapping[str, Answer]) -> Iterator[str]:
    """A server that gives these answers; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer = answers[self.path]
            self.send_response_only(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with listening(Handler) as url:
        yield url


def around(*, url: str = NOWHERE, api_key: str | None = None, **settings: Any) -> Surroundings:
    return Surroundings({}, Settings(**settings), url, api_key)


def only(check: Check, surroundings: Surroundings) -> Finding:
    (finding,) = check(surroundings)
    return finding


def states(check: Check, surroundings: Surroundings) -> dict[str, str]:
    return {finding.check: finding.state for finding in check(surroundings)}


# -- packages


def test_the_python_that_runs_these_tests_will_do_and_an_old_one_will_not(
    monkeypatch: Patch,
) -> None:
    assert only(packages.python, around()).state == "ok"
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    found = only(packages.python, around())
    assert (found.state, found.what) == ("problem", "3.10.4 is not >=3.11")


def versions(monkeypatch: Patch, changed: Mapping[str, str | None]) -> None:
    """Let packages be of these versions, or not installed."""
    true = packages._version
    monkeypatch.setattr(
        packages, "_version", lambda name: changed[name] if name in changed else true(name)
    )


def test_what_is_installed_here_will_do() -> None:
    assert set(states(packages.packages, around()).values()) == {"ok"}


def test_a_package_of_another_version_or_none_is_a_problem_with_the_command_to_run(
    monkeypatch: Patch,
) -> None:
    versions(monkeypatch, {"bentoml": "1.4.38", "timm": None})
    found = [f for f in packages.packages(around()) if f.state != "ok"]
    assert [f.what for f in found] == [
        "bentoml 1.4.38 is installed, ==1.4.39 is needed",
        "not installed: timm",
    ]
    assert all(f.todo and f.todo.startswith("pip install 'lookalike[service]==") for f in found)


def test_an_extra_that_is_not_installed_is_said_to_be_so(monkeypatch: Patch) -> None:
    versions(monkeypatch, {"opentelemetry-exporter-otlp-proto-http": None})
    assert states(packages.packages, around())["packages: otel"] == "skipped"


def test_a_torch_that_torchvision_was_not_made_for_is_a_problem(monkeypatch: Patch) -> None:
    assert only(packages.torch, around()).state == "ok"
    versions(monkeypatch, {"torch": "2.0.1+cpu"})
    found = only(packages.torch, around())
    assert found.state == "problem"
    assert "2.0.1+cpu is installed" in found.what


def test_traces_without_an_exporter_are_warned_of(monkeypatch: Patch) -> None:
    assert only(packages.traces, around(traces=False)).what == "off"
    assert only(packages.traces, around(traces=True)).state == "ok"
    versions(monkeypatch, {"opentelemetry-exporter-otlp-proto-http": None})
    assert only(packages.traces, around(traces=True)).state == "warning"


def test_a_package_without_the_web_page_is_warned_of(tmp_path: Path, monkeypatch: Patch) -> None:
    fake = SimpleNamespace(__file__=str(tmp_path / "__init__.py"))
    monkeypatch.setattr(packages, "lookalike_service", fake)
    assert only(packages.page, around()).state == "warning"
    (tmp_path / "ui").mkdir()
    (tmp_path / "ui" / "index.html").touch()
    assert only(packages.page, around()).state == "ok"


# -- settings


def test_a_misspelt_variable_is_found_with_the_name_that_was_meant() -> None:
    settings, found = read_settings({"LOOKALIKE_DATTA": "/x", "LOOKALIKE_URL": "y", "HOME": "/"})
    assert settings is not None
    (finding,) = found
    assert (finding.state, finding.todo) == ("warning", "did you mean LOOKALIKE_DATA?")


def test_a_value_that_will_not_do_is_a_problem_and_other_checks_go_on(monkeypatch: Patch) -> None:
    monkeypatch.setenv("LOOKALIKE_PORT", "70000")
    settings, found = read_settings(os.environ)
    assert settings is None
    assert "LOOKALIKE_PORT" in next(f.what for f in found if f.state == "problem")
    told = list(examine(Surroundings(os.environ, None, NOWHERE)))
    assert {f.state for f in told} <= {"ok", "warning", "skipped"}, told


def test_without_the_service_extra_settings_are_skipped(monkeypatch: Patch) -> None:
    monkeypatch.setitem(sys.modules, "pydantic", None)
    settings, (finding,) = read_settings({})
    assert settings is None
    assert finding.state == "skipped"


def test_an_address_that_others_reach_needs_keys_or_a_word() -> None:
    assert only(access, around(host="127.0.0.1")).state == "ok"
    assert only(access, around(host="0.0.0.0", open=True)).state == "warning"  # noqa: S104 - looked at, not bound
    found = only(access, around(host="0.0.0.0"))  # noqa: S104
    assert found.state == "problem"
    assert found.todo
    assert "lookalike keys new" in found.todo


def test_options_that_the_store_cannot_meet_are_a_problem() -> None:
    assert only(store, around()).state == "ok"
    assert only(store, around(qdrant_url="http://q:6333", replicas=2)).state == "ok"
    assert "LOOKALIKE_SHARDS=2" in only(store, around(shards=2)).what
    assert only(store, around(qdrant_url="http://q:6333", ack="durable")).state == "problem"


# -- the machine


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


# -- encoders


def test_encoders_are_known_by_name_and_by_where_their_weights_are() -> None:
    found = list(encoders(around(models=("timm:resnet50",))))
    assert [f.state for f in found] == ["ok", "warning"]
    assert "not on this machine" in found[1].what
    assert only(encoders, around(model="timm:")).state == "problem"


# -- the data folder


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


def test_folders_that_cannot_be_written_are_told(tmp_path: Path, monkeypatch: Patch) -> None:
    assert only(data.cache, around(cache=tmp_path / "cache")).state == "ok"
    (tmp_path / "file").touch()
    assert only(data.folder, around(data=tmp_path / "file" / "data")).state == "problem"
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert only(data.folder, around(data=tmp_path / "data")).state == "problem"
    assert only(data.cache, around(cache=tmp_path / "cache")).state == "warning"


# -- the network


@pytest.fixture(scope="module")
def running() -> Iterator[str]:
    with fake_server() as url:
        yield url


def test_a_running_service_is_ready_of_this_version_and_its_clock_agrees(running: str) -> None:
    found = states(network.service, around(url=running))
    assert found == {"service": "ok", "versions": "ok", "clock": "ok"}


def test_a_service_that_is_not_ready_is_a_problem_with_what_it_says() -> None:
    detail = json.dumps({"detail": "store: the store is away"}).encode()
    answers = {"/livez": Answer(200, b"ok\n"), "/readyz": Answer(503, detail)}
    with loopback(answers) as url:
        found = next(f for f in network.service(around(url=url)) if f.check == "service")
    assert found.state == "problem"
    assert found.what.endswith("not ready: store: the store is away")


def test_another_version_a_refused_key_and_a_wrong_clock_are_warned_of() -> None:
    hour_ago = {"Date": formatdate(0, usegmt=True)}
    for info, check in (
        (Answer(200, json.dumps({"version": "0.0.1"}).encode()), "versions"),
        (Answer(401, b"{}"), "key"),
    ):
        answers = {
            "/livez": Answer(200, b"ok\n", hour_ago),
            "/readyz": Answer(200, b"{}"),
            "/v1/info": info,
        }
        with loopback(answers) as url:
            found = states(network.service, around(url=url))
        assert found == {"service": "ok", check: "warning", "clock": "warning"}


def test_another_program_at_the_address_is_a_problem() -> None:
    with loopback({"/livez": Answer(404, b"nginx")}) as url:
        assert "is not Lookalike" in only(network.service, around(url=url)).what


def test_where_nothing_runs_the_port_is_free_or_taken() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = only(network.service, around(port=port))
        assert (found.state, "another program" in str(found.todo)) == ("problem", True)
    assert only(network.service, around(port=port)).state == "ok"
    assert only(network.service, around(host="192.0.2.1")).state == "problem"


def test_qdrant_is_reached_refuses_or_is_too_old_or_nobody_answers() -> None:
    client = metadata.version("qdrant-client")
    for version, collections, state in (
        (client, Answer(200, b"{}"), "ok"),
        ("1.9.0", Answer(200, b"{}"), "warning"),
        (client, Answer(403, b"{}"), "problem"),
        ("", Answer(200, b"{}"), "problem"),
    ):
        root = Answer(200, json.dumps({"version": version}).encode())
        with loopback({"/": root, "/collections": collections}) as url:
            assert only(network.qdrant, around(qdrant_url=url)).state == state, version
    assert only(network.qdrant, around(qdrant_url=NOWHERE)).state == "problem"
    assert only(network.qdrant, around()).state == "skipped"


def test_a_key_in_qdrants_address_is_not_shown() -> None:
    found = only(network.qdrant, around(qdrant_url="http://me:hunter2@127.0.0.1:9"))
    assert "hunter2" not in str(found)


# -- the command


def test_the_command_prints_a_line_per_finding_and_fails_where_there_is_a_problem(
    capsys: pytest.CaptureFixture[str], monkeypatch: Patch
) -> None:
    found = [Finding("a", "ok", "fine"), Finding("b", "warning", "hm", "mend it")]
    monkeypatch.setattr(command, "examine", lambda _: iter(found))
    monkeypatch.setattr(command, "read_settings", lambda _: (None, []))
    assert exit_code(["doctor", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[1] == {"check": "b", "state": "warning", "what": "hm", "todo": "mend it"}
    found.append(Finding("c", "problem", "broken", "replace it"))
    assert exit_code(["doctor"]) == 1
    shown = capsys.readouterr().out
    assert "PROBLEM  c: broken\n         → replace it\n" in shown
    assert shown.endswith("1 problems, 1 warnings\n")


def exit_code(arguments: list[str]) -> object:
    with pytest.raises(SystemExit) as ended:
        run(arguments)
    return ended.value.code


def test_every_check_runs_here_and_one_that_cannot_does_not_stop_the_others(
    tmp_path: Path, monkeypatch: Patch
) -> None:
    def broken(surroundings: Surroundings) -> None:
        raise ZeroDivisionError

    def lacking(surroundings: Surroundings) -> None:
        raise ImportError("no module named torch")

    monkeypatch.setattr(machine, "memory", broken)
    monkeypatch.setattr(machine, "gpu", lacking)
    found = list(examine(around(data=tmp_path / "data", port=0)))
    assert len(found) >= len(CHECKS)
    by_check = {f.check: f.state for f in found}
    assert (by_check["memory"], by_check["gpu"], by_check["python"]) == ("problem", "skipped", "ok")
