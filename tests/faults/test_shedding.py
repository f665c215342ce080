"""Images that have no turn are refused at the connection, in the words of the entrance and for less."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import httpx
import pytest

from lookalike_service.api.entrance import Entrance
from tests.faults.serving import Serving, serving
from tests.pictures import jpeg

FULL, PATIENCE = 4, 0.5
JPEG = {"content-type": "image/jpeg"}


@pytest.fixture
def service() -> Iterator[Serving]:
    with serving(max_queue=FULL, upload_seconds=PATIENCE) as started:
        yield started


@contextlib.contextmanager
def full(service: Serving) -> Iterator[None]:
    turns = service.app.state.context.embedder.turns
    turns.images = FULL
    try:
        yield
    finally:
        turns.images = 0


def request(body: bytes, *more: str) -> bytes:
    head = (
        "POST /v1/embed HTTP/1.1", "Host: 127.0.0.1", "Content-Type: image/jpeg",
        f"Content-Length: {len(body)}", *more, "", "",
    )  # fmt: skip
    return "\r\n".join(head).encode() + body


def answer(connection: socket.socket) -> tuple[bytes, bytes]:
    """Head and body of the next answer, and not a byte more."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return head, connection.recv(length, socket.MSG_WAITALL)


def test_both_refusals_read_the_same_and_one_reaches_the_app(
    service: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered = list[str]()
    enter = Entrance.__call__

    async def counting(self: Entrance, *arguments: object) -> None:
        entered.append(type(self).__name__)
        await enter(self, *arguments)  # type: ignore[arg-type] # ASGI's three

    monkeypatch.setattr(Entrance, "__call__", counting)
    with full(service), httpx.Client(base_url=service.url) as http:
        early = http.post("/v1/embed", content=jpeg(), headers=JPEG)
        assert not entered
        late = http.post("/v1/embed", content=jpeg(), headers=JPEG | {"connection": "close"})
        assert len(entered) == 1
    assert early.status_code == late.status_code == 429
    assert early.json() == late.json()
    assert early.json()["code"] == "overloaded"
    assert early.headers["retry-after"] == late.headers["retry-after"]
    assert set(early.headers) == set(late.headers) - {"connection"}
    assert early.headers["x-request-id"] != late.headers["x-request-id"]


def test_a_refused_caller_is_answered_with_its_own_request_id(service: Serving) -> None:
    with full(service):
        headers = JPEG | {"x-request-id": "mine"}
        refused = httpx.post(f"{service.url}/v1/embed", content=jpeg(), headers=headers)
    assert (refused.status_code, refused.headers["x-request-id"]) == (429, "mine")


def test_a_refused_body_is_dropped_and_the_connection_serves_on(service: Serving) -> None:
    body = jpeg(640, 480)
    with service.connect() as connection:
        with full(service):
            connection.sendall(request(body)[:2000])
            head, problem = answer(connection)
            assert head.startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
            assert b'"overloaded"' in problem
        connection.sendall(request(body)[2000:])
        connection.sendall(request(body))
        assert answer(connection)[0].startswith(b"HTTP/1.1 200 ")


def test_requests_sent_without_waiting_are_each_refused_in_turn(service: Serving) -> None:
    with full(service), service.connect() as connection:
        connection.sendall(b"".join(request(jpeg(), f"X-Request-Id: number-{i}") for i in range(3)))
        for i in range(3):
            head, _ = answer(connection)
            assert head.startswith(b"HTTP/1.1 429 ")
            assert f"x-request-id: number-{i}\r\n".encode() in head


def test_the_rest_of_a_refused_body_is_not_waited_for_for_ever(service: Serving) -> None:
    with full(service), service.connect() as connection:
        connection.sendall(request(jpeg())[:-1])
        assert answer(connection)[0].startswith(b"HTTP/1.1 429 ")
        assert connection.recv(1) == b""


def test_a_refused_connection_is_closed_when_nothing_comes_any_more() -> None:
    """Also where the body came after the head, which makes uvicorn forget its timer."""
    with serving(max_queue=FULL) as service, full(service):
        service.server.config.timeout_keep_alive = 1
        with service.connect() as connection:
            whole = request(jpeg())
            connection.sendall(whole[:-10])
            assert answer(connection)[0].startswith(b"HTTP/1.1 429 ")
            connection.sendall(whole[-10:])
            assert connection.recv(1) == b""


def test_an_old_client_is_refused_in_its_own_way(service: Serving) -> None:
    old = request(jpeg(), "Connection: keep-alive").replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n")
    with full(service), service.connect() as connection:
        connection.sendall(old)
        assert answer(connection)[0].startswith(b"HTTP/1.1 429 ")
        assert connection.recv(1) == b""


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"x-priority": "urgent"}, 422),
        ({"content-length": "1000000000000"}, 413),
    ],
)
def test_what_no_room_would_help_is_told_so(
    service: Serving, headers: dict[str, str], status: int
) -> None:
    with full(service), service.connect() as connection:
        fields = {"host": "127.0.0.1", "content-type": "image/jpeg", "content-length": "5"}
        lines = [f"{name}: {value}" for name, value in (fields | headers).items()]
        connection.sendall("\r\n".join(["POST /v1/embed HTTP/1.1", *lines, "", "hello"]).encode())
        assert answer(connection)[0].startswith(f"HTTP/1.1 {status} ".encode())


def test_a_page_can_read_that_it_was_refused() -> None:
    origin = "https://app.example"
    with (
        serving(max_queue=FULL, cors_origins=(origin,)) as service,
        full(service),
        httpx.Client(base_url=service.url, headers={"origin": origin}) as http,
    ):
        refused = http.post("/v1/embed", content=jpeg(), headers=JPEG)
        assert refused.status_code == 429
        assert refused.headers["access-control-allow-origin"] == origin


def test_behind_a_proxy_one_caller_is_not_refused_for_another(service: Serving) -> None:
    turns = service.app.state.context.embedder.turns
    turns.images = 2
    turns._held["127.0.0.1"] = 2
    try:
        headers = JPEG | {"x-forwarded-for": "203.0.113.9"}
        served = httpx.post(f"{service.url}/v1/embed", content=jpeg(), headers=headers)
        refused = httpx.post(f"{service.url}/v1/embed", content=jpeg(), headers=JPEG)
    finally:
        turns.images = 0
        turns._held.clear()
    assert (served.status_code, refused.status_code) == (200, 429)


def test_what_needs_no_turn_is_served_while_images_are_refused(service: Serving) -> None:
    with full(service), httpx.Client(base_url=service.url) as http:
        assert http.post("/v1/embed", content=jpeg(), headers=JPEG).status_code == 429
        assert http.get("/v1/info").status_code == 200
        assert http.post("/v1/embed", json={"images": []}).status_code == 422


def test_refusals_are_counted_wherever_they_happen(service: Serving) -> None:
    with full(service), httpx.Client(base_url=service.url) as http:
        for more in ({}, {"connection": "close"}):
            http.post("/v1/embed", content=jpeg(), headers=JPEG | more)
        lines = http.get("/metrics").text.splitlines()
    assert 'lookalike_requests_total{method="POST",route="unmatched",status="429"} 2.0' in lines
    seconds = 'lookalike_request_seconds_count{method="POST",route="unmatched"} 1.0'
    assert seconds in lines, "nothing can be timed at the connection"
    assert 'lookalike_errors_total{code="overloaded"} 2.0' in lines
    assert 'lookalike_refused_total{reason="images"} 2.0' in lines
