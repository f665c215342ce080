"""Callers that are slow, leave half-way or come in masses cost themselves alone."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import httpx
import psutil
import pytest

from tests.fakes.encoder import FakeEncoder
from tests.fakes.jobs import until
from tests.faults.serving import Serving, serving
from tests.pictures import jpeg

PATIENCE = 0.5
"""Seconds that the service waits for headers and bodies in these tests."""
JPEG = {"content-type": "image/jpeg"}
HEAD = b"POST /v1/embed HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"

CHUNKED = (
    b"POST /v1/embed HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)


@pytest.fixture(scope="module")
def service() -> Iterator[Serving]:
    with serving(upload_seconds=PATIENCE, max_connections=40) as started:
        yield started


@pytest.fixture(autouse=True)
def nothing_is_left_behind(service: Serving) -> Iterator[None]:
    """After each test others are served, nothing is in flight, and the service is ready."""
    yield
    assert served(service)
    embedder = service.app.state.context.embedder
    until(lambda: embedder.in_flight == 0, "the queue is empty again")
    assert httpx.get(f"{service.url}/readyz").status_code == 200


def has_connections(service: Serving) -> bool:
    return any(
        one.status == psutil.CONN_ESTABLISHED and one.laddr.port == service.port
        for one in psutil.Process().net_connections("tcp")
    )


def served(service: Serving) -> bool:
    answer = httpx.post(f"{service.url}/v1/embed", content=jpeg(), headers=JPEG, timeout=30)
    return answer.status_code == 200


def everything(connection: socket.socket) -> bytes:
    """All that comes until the other side hangs up."""
    got = b""
    with contextlib.suppress(ConnectionError):
        while piece := connection.recv(65_536):
            got += piece
    return got


@pytest.mark.parametrize("sent", [b"", b"GET /livez HTTP/1.1\r\nX-A: ", HEAD[:20]])
def test_headers_that_never_end_are_not_waited_for(service: Serving, sent: bytes) -> None:
    with contextlib.ExitStack() as stack:
        dribbling = [stack.enter_context(service.connect()) for _ in range(20)]
        for connection in dribbling:
            connection.sendall(sent)
        assert served(service)
        assert [everything(connection) for connection in dribbling] == [b""] * 20


def test_later_headers_on_a_connection_have_no_more_time(service: Serving) -> None:
    with service.connect() as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
        connection.sendall(b"GET /livez HTTP/1.1\r\n")
        assert everything(connection) == b""


def test_a_body_that_dribbles_is_answered_with_408(service: Serving) -> None:
    with service.connect() as slow:
        slow.sendall(HEAD % 10_000 + b"\xff\xd8")
        assert served(service)
        answer = everything(slow)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b'"code":"upload_too_slow"' in answer
    assert b"connection: close" in answer.lower()


def test_an_answer_that_needs_no_body_does_not_wait_for_one_for_ever(service: Serving) -> None:
    with service.connect() as slow:
        slow.sendall((HEAD % 10_000).replace(b"/v1/embed", b"/nothing") + b"\xff\xd8")
        assert everything(slow).startswith(b"HTTP/1.1 404")


@pytest.mark.parametrize("path", ["/v1/collections/c/clusterings", "/v1/embed"])
def test_json_that_dribbles_is_answered_with_408(service: Serving, path: str) -> None:
    head = HEAD.replace(b"image/jpeg", b"application/json").replace(b"/v1/embed", path.encode())
    with service.connect() as slow:
        slow.sendall(head % 100 + b"{")
        assert everything(slow).startswith(b"HTTP/1.1 408")


def test_a_slow_upload_that_keeps_its_pace_is_served(service: Serving) -> None:
    picture = jpeg(1000, 800) + bytes(200_000)
    step = len(picture) // 10 + 1

    def pieces() -> Iterator[bytes]:
        for start in range(0, len(picture), step):
            yield picture[start : start + step]
            time.sleep(PATIENCE / 5)

    answer = httpx.post(f"{service.url}/v1/embed", content=pieces(), headers=JPEG, timeout=30)
    assert answer.status_code == 200


def test_headers_beyond_64_kb_are_refused(service: Serving) -> None:
    with service.connect() as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"a" * 2**20)
        assert everything(connection)[:12] in {b"", b"HTTP/1.1 400"}


@pytest.mark.parametrize("line", [b"X-A: 1\r\n", b"a"], ids=["many", "one without end"])
def test_headers_after_a_body_have_no_more_room_than_those_before(
    service: Serving, line: bytes
) -> None:
    """A chunked body may be followed by trailers."""
    sent = 0
    with service.connect() as connection, contextlib.suppress(ConnectionError):
        connection.sendall(CHUNKED + b"0\r\n")
        while sent < 20_000_000:
            sent += connection.send(line * (100_000 // len(line)))
    assert sent < 20_000_000


def test_a_header_after_a_body_is_left_out(service: Serving) -> None:
    with service.connect() as connection:
        body = b"%x\r\n%b\r\n0\r\nContent-Type: text/plain\r\n\r\n" % (len(jpeg()), jpeg())
        connection.sendall(CHUNKED + body)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")


def test_answers_that_nobody_reads_are_not_kept_for_ever(service: Serving) -> None:
    asked = 200
    with service.connect() as connection:
        connection.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * asked)
        until(lambda: not has_connections(service), "the connection is closed")
        assert everything(connection).count(b"HTTP/1.1 200") < asked


def test_more_connections_than_are_allowed_are_told_to_come_back(service: Serving) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(service.connect())
        refused = httpx.get(f"{service.url}/v1/models")
        assert httpx.get(f"{service.url}/livez").status_code == 200  # or it would be restarted
        assert (refused.status_code, refused.json()["code"]) == (429, "overloaded")
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.headers["connection"] == "close"
    until(
        lambda: httpx.get(f"{service.url}/v1/models").status_code == 200,
        "connections are free again",
    )


def test_a_client_that_closes_its_sending_half_counts_as_gone(service: Serving) -> None:
    with service.connect() as connection:
        connection.sendall(HEAD % len(jpeg()) + jpeg())
        connection.shutdown(socket.SHUT_WR)
        assert everything(connection)[:12] in {b"", b"HTTP/1.1 200"}


@pytest.mark.parametrize("part", [0.0, 0.5])
def test_a_client_that_leaves_in_its_upload_is_forgotten(service: Serving, part: float) -> None:
    for _ in range(10):
        with service.connect() as connection:
            connection.sendall(HEAD % len(jpeg()) + jpeg()[: int(len(jpeg()) * part)])


def test_clients_that_vanish_in_mid_batch_leave_the_others_their_answers() -> None:
    encoder = FakeEncoder()
    with serving(encoder) as service:
        files = [("images", jpeg(seed=i)) for i in range(64)]
        request = httpx.Request("POST", f"{service.url}/v1/embed", files=files)
        kind, length = request.headers["content-type"], int(request.headers["content-length"])
        whole = HEAD.replace(b"image/jpeg", kind.encode()) % length + request.read()
        for _ in range(5):
            with service.connect() as connection:
                connection.sendall(whole)
        assert served(service)
        embedder = service.app.state.context.embedder
        until(lambda: embedder.in_flight == 0, "nothing is in flight")
        assert sum(encoder.batches) <= 5 * 64 + 3
