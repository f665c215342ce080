"""Overload over HTTP: refused before the body is read, dropped when the client leaves, urgent work first."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import numpy as np
import pytest
from starlette.types import Message, Scope

from lookalike_service.encoders.protocol import Pixels
from lookalike_service.workflows.embedding import Embedder
from tests.fakes.encoder import FakeEncoder
from tests.fakes.service import FakeService, fake_app, fake_server, fake_service
from tests.fakes.store import FakeStore
from tests.pictures import encoded, jpeg

JPEG = {"content-type": "image/jpeg"}
PNG = {"content-type": "image/png"}


class HeldEncoder(FakeEncoder):
    """Its images are held in their decoders' threads until they are let go; remembers their corners."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()
        self.corners: list[int] = []

    def preprocess(self, rgb: Pixels) -> Pixels:
        self.corners.append(int(rgb[0, 0, 0]))
        assert self.go.wait(30)
        return super().preprocess(rgb)


def embedder_of(service: FakeService) -> Embedder:
    embedder: Embedder = service.client.app.state.context.embedder  # type: ignore[attr-defined]
    return embedder


def sample(metrics: str, name: str) -> float:
    return sum(
        float(line.rpartition(" ")[2]) for line in metrics.splitlines() if line.startswith(name)
    )


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.fixture
def service() -> Iterator[FakeService]:
    with fake_service(max_queue=4) as started:
        yield started


class Unread:
    """A body that says when it is read."""

    def __init__(self) -> None:
        self.reads = 0

    async def receive(self) -> Message:
        self.reads += 1
        return {"type": "http.request", "body": jpeg(), "more_body": False}


def scope(path: str, app: Any, **headers: str) -> Scope:
    pairs = [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]
    return {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "headers": pairs,
        "query_string": b"", "http_version": "1.1", "scheme": "http", "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80), "root_path": "", "app": app, "state": {},
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["image/png", "application/octet-stream", "multipart/form-data"])
async def test_a_full_queue_is_told_before_the_body_is_read(kind: str) -> None:
    app = fake_app(FakeEncoder(), FakeStore(), max_queue=4)
    async with app.router.lifespan_context(app):
        app.state.context.embedder.turns.images = 4
        body, sent = Unread(), list[Message]()

        async def send(message: Message) -> None:
            sent.append(message)

        await app(scope("/v1/embed", app, content_type=kind), body.receive, send)
    assert sent[0]["status"] == 429
    assert json.loads(sent[1]["body"])["code"] == "overloaded"
    assert body.reads == 0


def test_a_search_without_an_image_is_served_while_the_queue_is_full(service: FakeService) -> None:
    assert service.client.put("/v1/collections/c", json={}).is_success
    images = service.client.post("/v1/collections/c/images", content=jpeg(), headers=JPEG)
    id = images.json()["items"][0]["id"]
    embedder_of(service).turns.images = 4
    assert service.client.post("/v1/collections/c/search", json={"id": id}).is_success
    refused = service.client.post("/v1/collections/c/search", content=jpeg(), headers=JPEG)
    assert refused.status_code == 429


def test_bodies_beyond_the_memory_for_them_are_refused_and_one_alone_is_not() -> None:
    with fake_service(max_bodies_bytes=10_000) as service:
        app: Any = service.client.app
        assert len(jpeg(640, 480)) > 10_000
        answer = service.client.post("/v1/embed", content=jpeg(640, 480), headers=JPEG)
        assert answer.is_success, "alone"

        async def two() -> list[int]:
            """The second comes while half of the first was received; then the rest of it."""
            statuses: list[int] = []
            half, rest = asyncio.Event(), asyncio.Event()

            async def slow() -> Message:
                if not half.is_set():
                    half.set()
                    return {
                        "type": "http.request",
                        "body": jpeg(640, 480)[:9000],
                        "more_body": True,
                    }
                await rest.wait()
                return {"type": "http.request", "body": jpeg(640, 480)[9000:], "more_body": False}

            async def send(message: Message) -> None:
                if message["type"] == "http.response.start":
                    statuses.append(message["status"])

            kind = {"content_type": "image/jpeg"}
            first = asyncio.ensure_future(app(scope("/v1/embed", app, **kind), slow, send))
            await half.wait()
            await asyncio.sleep(0)
            second = scope("/v1/embed", app, **kind, content_length=str(len(jpeg(640, 480))))
            await app(second, Unread().receive, send)
            rest.set()
            await first
            return statuses

        assert service.client.portal is not None
        assert service.client.portal.call(two) == [429, 200]
        text = service.client.get("/metrics").text
        assert sample(text, 'lookalike_refused_total{reason="bodies"}') == 1


@pytest.mark.parametrize("value", ["", "urgent", "Interactive"])
def test_an_unknown_priority_is_refused(service: FakeService, value: str) -> None:
    headers = JPEG | {"x-priority": value}
    answer = service.client.post("/v1/embed", content=jpeg(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_field")


@pytest.mark.parametrize("value", ["soon", "0", "-1", "nan", "inf", "1e9"])
def test_a_deadline_that_is_none_is_refused(service: FakeService, value: str) -> None:
    headers = JPEG | {"x-deadline-seconds": value}
    answer = service.client.post("/v1/embed", content=jpeg(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_field")


def grey(level: int) -> bytes:
    """A picture that is told by its corner."""
    return encoded(np.full((8, 8, 3), level, np.uint8), "png")


class Live:
    """A service behind a socket that has one place, which a first image holds."""

    def __init__(self, url: str, encoder: HeldEncoder, embedder: Embedder) -> None:
        self.url, self.encoder, self.embedder = url, encoder, embedder
        self.answers: dict[str, httpx.Response] = {}
        self._threads: list[threading.Thread] = []

    def later(self, name: str, path: str = "/v1/embed", **request: Any) -> None:
        """Post in a thread, and return when the service has it waiting."""

        def post() -> None:
            self.answers[name] = httpx.post(self.url + path, timeout=30, **request)

        before = self.embedder.turns.images
        self._threads.append(threading.Thread(target=post))
        self._threads[-1].start()
        until(lambda: self.embedder.turns.images > before)

    def finish(self) -> None:
        self.encoder.go.set()
        for thread in self._threads:
            thread.join()

    def metric(self, name: str) -> float:
        return sample(httpx.get(f"{self.url}/metrics").text, name)


@pytest.fixture
def live(monkeypatch: pytest.MonkeyPatch) -> Iterator[Live]:
    made: list[Embedder] = []
    build = Embedder.__init__

    def remember(self: Embedder, *args: Any, **kwargs: Any) -> None:
        build(self, *args, **kwargs)
        self.turns.fit(1, 1)
        made.append(self)

    monkeypatch.setattr(Embedder, "__init__", remember)
    encoder = HeldEncoder()
    with ExitStack() as stack:
        url = stack.enter_context(fake_server(encoder=encoder))
        service = Live(url, encoder, made[0])
        stack.callback(service.finish)
        service.later("first", content=grey(1), headers=PNG)
        until(lambda: bool(encoder.corners))
        yield service


def test_images_of_a_client_that_left_are_never_decoded(live: Live) -> None:
    with socket.create_connection(("127.0.0.1", httpx.URL(live.url).port)) as connection:
        body = grey(2)
        head = b"POST /v1/embed HTTP/1.1\r\nhost: localhost\r\ncontent-type: image/png\r\n"
        connection.sendall(head + b"content-length: %d\r\n\r\n" % len(body) + body)
        until(lambda: live.embedder.turns.waiting("interactive") == 1)
    until(lambda: live.embedder.turns.waiting("interactive") == 0)
    live.later("after", content=grey(3), headers=PNG)
    assert live.metric('lookalike_dropped_total{reason="client_gone"}') == 1
    live.finish()
    assert live.answers["after"].is_success
    assert live.encoder.corners == [1, 3]


def test_a_lone_image_overtakes_a_batch_and_one_marked_bulk_does_not(live: Live) -> None:
    files = [("images", grey(10 + i)) for i in range(9)]
    live.later("batch", files=files)
    live.later("lone", content=grey(20), headers=PNG)
    live.later("patient", content=grey(21), headers=PNG | {"x-priority": "bulk"})
    live.finish()
    assert all(answer.is_success for answer in live.answers.values())
    order = live.encoder.corners
    assert order[:3] == [1, 20, 10]
    assert order.index(21) > 2


def test_indexing_one_image_is_bulk_unless_the_caller_says_otherwise(live: Live) -> None:
    assert httpx.put(f"{live.url}/v1/collections/c", json={}).is_success
    path = "/v1/collections/c/images"
    live.later("indexed", path, content=grey(30), headers=PNG)
    live.later("hurried", path, content=grey(31), headers=PNG | {"x-priority": "interactive"})
    live.finish()
    assert live.encoder.corners == [1, 31, 30]


def test_an_image_past_its_deadline_is_answered_with_429_and_not_decoded(live: Live) -> None:
    live.later("late", content=grey(40), headers=PNG | {"x-deadline-seconds": "0.01"})
    time.sleep(0.02)  # the clock is the service's own; later is always late enough
    live.finish()
    assert live.answers["late"].status_code == 429
    assert "retry-after" in live.answers["late"].headers
    assert live.encoder.corners == [1]
    assert live.metric('lookalike_dropped_total{reason="deadline"}') == 1
