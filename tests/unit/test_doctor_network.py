"""Each check of `lookalike doctor` on what answers: the service, another program, Qdrant, nobody."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from importlib import metadata

import pytest

from lookalike_service.doctor import network
from tests.fakes.doctor import NOWHERE, around, only, states
from tests.fakes.loopback import listening
from tests.fakes.service import fake_server


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


@pytest.mark.parametrize(
    "given", ["localhost:6333", "me:hunter2@q", "http://q:port", "http://:6333", "ftp://q"]
)
def test_an_address_of_qdrant_needs_http_and_a_host(given: str) -> None:
    found = only(network.qdrant, around(qdrant_url=given))
    assert (found.state, "http:// or https://" in found.what) == ("problem", True)
    assert "hunter2" not in str(found)


def test_a_key_in_qdrants_address_is_not_shown() -> None:
    found = only(network.qdrant, around(qdrant_url="http://me:hunter2@127.0.0.1:9"))
    assert "hunter2" not in str(found)
