"""What `lookalike serve` says of its settings before it starts anything."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
import typer
from structlog.testing import capture_logs

from lookalike_service import logs, serve
from lookalike_service.settings import get_settings

Patch = pytest.MonkeyPatch


@pytest.fixture(autouse=True)
def _settings_are_read_anew(monkeypatch: Patch) -> Iterator[None]:
    """And logs stay as the tests have them."""
    monkeypatch.setattr(logs, "configure", lambda *_, **__: None)
    monkeypatch.setattr(logs, "log_uncaught", lambda: None)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


def refused() -> int:
    """The exit status."""
    with pytest.raises(typer.Exit) as ended:
        serve.run()
    return ended.value.exit_code


def test_each_setting_that_will_not_do_is_one_line_and_the_exit_status_2(
    monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LOOKALIKE_HOSTS", "search.example.com")
    monkeypatch.setenv("LOOKALIKE_PLAN", "fast")
    assert refused() == 2
    hosts, plan = capsys.readouterr().err.splitlines()
    assert hosts == (
        """LOOKALIKE_HOSTS: must be a JSON list, such as '["search.example.com"]' """
        "(given: 'search.example.com')"
    )
    assert plan.startswith("LOOKALIKE_PLAN: Input should be 'auto', ")


def test_a_port_that_another_program_has_is_told_before_anything_is_loaded(
    monkeypatch: Patch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("LOOKALIKE_PORT", str(port))
        assert refused() == 2
    told = capsys.readouterr().err
    assert told.startswith(f"lookalike serve: port {port} of 127.0.0.1: Address already in use")


def test_each_variable_that_is_no_setting_is_warned_of(monkeypatch: Patch) -> None:
    monkeypatch.setenv("LOOKALIKE_DATTA", "/x")
    monkeypatch.setenv("LOOKALIKE_URL", "http://for.clients")
    # Refused without keys, so that nothing starts.
    monkeypatch.setenv("LOOKALIKE_HOST", "192.0.2.1")
    monkeypatch.delenv("LOOKALIKE_OPEN", raising=False)
    with capture_logs() as logged:
        assert refused() == 2
    said = [line["event"] for line in logged if line["log_level"] == "warning"]
    assert (
        "LOOKALIKE_DATTA is not a setting, and does nothing: did you mean LOOKALIKE_DATA?" in said
    )
    assert not any("LOOKALIKE_URL" in line for line in said)
