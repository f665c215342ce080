"""What is packed agrees with what is declared."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_bento_needs_what_the_service_extra_needs() -> None:
    bentofile = yaml.safe_load((ROOT / "bentofile.yaml").read_text())
    assert bentofile["python"]["packages"] == PROJECT["optional-dependencies"]["service"]


def test_the_base_install_is_httpx_alone() -> None:
    assert [re.split(r"[<>=]", need)[0] for need in PROJECT["dependencies"]] == ["httpx"]


def test_constraints_pin_versions_and_name_no_host() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert len(pins) > 50
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+==[^\s/@]+", pin) for pin in pins)


def test_every_command_entry_point_loads() -> None:
    from importlib.metadata import entry_points

    commands = entry_points(group="lookalike.commands")
    assert {"serve", "index", "search", "explain", "cluster", "project", "models"} <= commands.names
    assert all(callable(command.load()) for command in commands)
