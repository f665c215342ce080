"""How commands are found, and what happens where something is not installed."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from lookalike_indexer import cli
from lookalike_indexer.app import GROUP, build

SEARCH = EntryPoint("search", "lookalike_indexer.commands.search:search", GROUP)
ABSENT = EntryPoint("serve", "lookalike_service.no_such_module:serve", GROUP)
FOREIGN = EntryPoint("extra", "no_such_package.commands:extra", GROUP)


def invoke(*arguments: str) -> int:
    app = build(arguments, [SEARCH, ABSENT, FOREIGN])
    with pytest.raises(SystemExit) as ended:
        app(list(arguments), prog_name="lookalike")
    return int(ended.value.code or 0)


def test_a_command_that_is_not_installed_is_listed_and_breaks_no_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert invoke("--help") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "Show the images of a collection" in shown
    assert "pip install 'lookalike[service]'" in shown
    assert "pip install 'no_such_package'" in shown
    assert invoke("search", "--help") == 0


def test_running_a_command_that_is_not_installed_says_what_to_install(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert invoke("serve", "--port", "1", "anything") == 2
    said = capsys.readouterr().err
    assert said.startswith("lookalike serve: Not installed: pip install 'lookalike[service]'")
    assert "lookalike_service.no_such_module" in said


def test_a_mistyped_command_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke("serach") == 2
    assert "serach" in capsys.readouterr().err


def test_only_the_command_that_is_named_is_imported() -> None:
    code = (
        "import sys; from lookalike_indexer.app import build; from importlib.metadata import "
        f"entry_points; build(['models'], entry_points(group='{GROUP}')); "
        "print(any(name.startswith('lookalike_service') for name in sys.modules))"
    )
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    assert ran.stdout.strip() == "False"


def test_without_its_extra_the_command_line_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "find_spec", lambda _: None)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    assert "pip install 'lookalike[indexer]'" in capsys.readouterr().err
