"""One line of JSON per event, whoever logs it, that says which request or job it belongs to."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.logged_service import SECRET

ROOT = Path(__file__).parents[2]
Lines = list[dict[str, Any]]


@pytest.fixture(scope="module")
def ran() -> tuple[str, dict[str, str]]:
    """The log of tests/fakes/logged_service.py, and what it answered."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fakes.logged_service"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stderr, json.loads(done.stdout)


@pytest.fixture(scope="module")
def lines(ran: tuple[str, dict[str, str]]) -> Lines:
    return [json.loads(line) for line in ran[0].splitlines()]


@pytest.fixture(scope="module")
def answered(ran: tuple[str, dict[str, str]]) -> dict[str, str]:
    return ran[1]


def of(lines: Lines, **fields: str) -> Lines:
    return [line for line in lines if fields.items() <= line.items()]


def test_every_line_of_every_library_and_process_is_json_with_level_and_time(lines: Lines) -> None:
    assert all({"event", "level", "timestamp", "logger"} <= line.keys() for line in lines)
    (warning,) = of(lines, logger="py.warnings")
    assert "careful" in warning["event"]
    assert of(lines, logger="uvicorn.error", level="warning")
    (died,) = of(lines, event="thread died")
    assert died["thread"] == "doomed"
    assert "ZeroDivisionError" in died["exception"]


def test_a_failed_request_is_one_line_with_its_code_and_the_callers_id(
    lines: Lines, answered: dict[str, str]
) -> None:
    assert answered["unknown"] == "unknown-1"
    (line,) = of(lines, request_id="unknown-1", event="request failed")
    assert (line["code"], line["status"], line["level"]) == ("unknown_collection", 404, "info")


def test_an_unexpected_error_is_one_line_with_its_traceback(lines: Lines) -> None:
    (line,) = of(lines, request_id="broken-1", event="request failed")
    assert (line["code"], line["status"], line["level"]) == ("internal_error", 500, "error")
    assert "RuntimeError" in line["exception"]
    assert len([each for each in lines if "cannot log in" in str(each)]) == 1


def test_what_the_decode_threads_log_belongs_to_the_request(lines: Lines) -> None:
    assert of(lines, event="decoding", request_id="decoded-1", logger="decoder")


def test_an_image_that_breaks_the_model_is_logged_with_the_request_it_came_with(
    lines: Lines,
) -> None:
    (line,) = of(lines, event="encoder failed")
    assert (line["request_id"], line["level"]) == ("poison-1", "error")


@pytest.mark.parametrize("name", ["spaces", "long"])
def test_a_request_id_that_is_not_printable_or_too_long_is_replaced(
    answered: dict[str, str], name: str
) -> None:
    assert re.fullmatch(r"[0-9a-f]{32}", answered[name])


def test_what_the_computing_process_logs_belongs_to_the_job(
    lines: Lines, answered: dict[str, str]
) -> None:
    (failed,) = of(lines, event="computation failed")
    assert failed["job_id"] == answered["job"]
    assert "no_such_module" in failed["exception"]
    assert of(lines, event="job ended", job_id=answered["job"], state="failed")


def test_no_secret_is_logged(ran: tuple[str, dict[str, str]]) -> None:
    assert SECRET not in ran[0]
    assert ran[0].count("[secret]") == 2
