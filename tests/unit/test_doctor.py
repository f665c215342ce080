"""Each check of `lookalike doctor` on packages, settings and encoders, in health and in sickness."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from lookalike_indexer.app import run
from lookalike_service.access.keys import entry, write_keys
from lookalike_service.doctor import command, machine, packages
from lookalike_service.doctor.command import CHECKS, examine
from lookalike_service.doctor.configuration import access, read_settings, store
from lookalike_service.doctor.finding import Finding, Surroundings
from lookalike_service.doctor.weights import encoders
from lookalike_service.encoders import hub
from lookalike_service.environment import unfit_values
from lookalike_service.settings import Settings
from tests.fakes.doctor import NOWHERE, around, only, states

Patch = pytest.MonkeyPatch


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


def test_every_list_without_json_is_a_problem_that_names_its_variable_and_shows_how_to_write_it(
    monkeypatch: Patch,
) -> None:
    for name in ("HOSTS", "CORS_ORIGINS", "URL_HOSTS", "MODELS", "PRELOAD"):
        monkeypatch.setenv(f"LOOKALIKE_{name}", "a.example, b.example")
    settings, found = read_settings({})
    assert settings is None
    shown = """must be a JSON list, such as '["a.example", "b.example"]' (given: 'a.example, b.example')"""
    assert {f.what for f in found} == {
        f"LOOKALIKE_{name}: {shown}"
        for name in ("HOSTS", "CORS_ORIGINS", "URL_HOSTS", "MODELS", "PRELOAD")
    }


def test_an_unknown_plan_is_one_problem_with_all_that_are_allowed(monkeypatch: Patch) -> None:
    monkeypatch.setenv("LOOKALIKE_PLAN", "fast")
    _, (finding,) = read_settings({})
    assert finding.what.startswith("LOOKALIKE_PLAN: Input should be 'auto', 'float32', ")
    assert finding.what.endswith("'bfloat16-compiled' (given: 'fast')")


def test_a_value_that_may_be_secret_is_not_shown() -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(
            qdrant_url=["http://me:hunter2@q"], api_keys=["hunter2"], qdrant_api_key=["hunter2"]
        )
    lines = unfit_values(caught.value)
    assert len(lines) == 3
    assert not any("hunter2" in line for line in lines)


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


def test_keys_none_of_which_is_in_force_are_warned_of(tmp_path: Path) -> None:
    file = tmp_path / "keys.json"
    for keys, state in (
        ([], "warning"),
        ([entry("a", "read", expires=datetime(2020, 1, 1, tzinfo=UTC))], "warning"),
        ([entry("a", "read")], "ok"),
    ):
        file.write_text(write_keys(keys))
        assert only(access, around(api_keys_file=file)).state == state
        assert only(access, around(api_keys=write_keys(keys))).state == state


def test_options_that_the_store_cannot_meet_are_a_problem() -> None:
    assert only(store, around()).state == "ok"
    assert only(store, around(qdrant_url="http://q:6333", replicas=2)).state == "ok"
    assert "LOOKALIKE_SHARDS=2" in only(store, around(shards=2)).what
    assert only(store, around(qdrant_url="http://q:6333", ack="durable")).state == "problem"


# -- encoders


def test_encoders_are_known_by_name_and_by_where_their_weights_are() -> None:
    found = list(encoders(around(models=("timm:resnet50",))))
    assert [f.state for f in found] == ["ok", "warning"]
    assert "not on this machine" in found[1].what
    assert only(encoders, around(model="timm:")).state == "problem"


@pytest.mark.parametrize(
    ("model", "state", "what"),
    [
        ("timm:nosuchmodel", "problem", "timm has no 'nosuchmodel'"),
        ("timm:resnet50.a1_in1k", "warning", "not on this machine"),
        ("timm:resnet50?pool=gem", "warning", "not on this machine"),
        ("timm:tf_efficientnet_lite0?pool=gem", "ok", "installed"),
        ("timm:resnet50@/nowhere/own.pth", "problem", "no '/nowhere/own.pth' on this machine"),
        ("head:/nowhere/breeds", "problem", "no '/nowhere/breeds' on this machine"),
        ("open_clip:nosuch/openai", "problem", "open_clip has no architecture 'nosuch'"),
        ("open_clip:ViT-B-32/nosuch", "problem", "it has: openai, "),
        ("open_clip:ViT-B-16/openai", "warning", "not on this machine"),
    ],
)
def test_encoders_beside_the_catalogue_are_looked_up_in_their_library(
    monkeypatch: Patch, model: str, state: str, what: str
) -> None:
    monkeypatch.setattr(hub, "cached", lambda *_: None)
    found = only(encoders, around(model=model))
    assert (found.state, what in found.what) == (state, True), found


def test_weights_in_the_cache_are_told_and_own_ones_or_without_the_library_seen_when_loaded(
    tmp_path: Path, monkeypatch: Patch
) -> None:
    monkeypatch.setattr(hub, "cached", lambda *_: tmp_path)
    assert only(encoders, around(model="timm:resnet50.a1_in1k")).what.endswith(": offline")
    own = only(encoders, around(model=f"timm:resnet50@{tmp_path}"))
    assert (own.state, "known when it is loaded" in own.what) == ("ok", True)
    monkeypatch.setitem(sys.modules, "lookalike_service.encoders.timm_config", None)
    absent = only(encoders, around(model="timm:nosuchmodel"))
    assert (absent.state, "known when it is loaded" in absent.what) == ("ok", True)


def test_what_is_loaded_at_start_must_be_offered(tmp_path: Path) -> None:
    first, further = "pixels:150x150-grey", "pixels:64x64-rgb"
    settings: dict[str, Any] = {"model": first, "data": tmp_path, "preload": (further,)}
    assert {f.state for f in encoders(around(models=(further,), **settings))} == {"ok"}
    found = [f for f in encoders(around(**settings)) if f.state != "ok"]
    assert [(f.state, f.what) for f in found] == [
        ("problem", f"LOOKALIKE_PRELOAD: {further} is not offered")
    ]
    trained = tmp_path / "models" / "scans" / "first"
    trained.mkdir(parents=True)
    (trained / "training.json").write_text(json.dumps({"model": further}))
    assert {f.state for f in encoders(around(**settings))} == {"ok"}


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
    assert by_check["machine: memory"] == "problem"
    assert by_check["machine: gpu"] == "skipped"
    assert by_check["python"] == "ok"
