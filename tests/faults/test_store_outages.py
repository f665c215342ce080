"""The Qdrant server goes away, or hangs: what needs it is answered with 503, all else goes on; it heals."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx
import pytest

from lookalike_service.api import watching
from lookalike_service.jobs import runner
from lookalike_service.store.server import ServerStore, connect
from tests.fakes.jobs import until
from tests.fakes.qdrant import QdrantFake
from tests.faults.serving import serving
from tests.pictures import jpeg

C = "/v1/collections/c"
JPEG = {"content-type": "image/jpeg"}


@dataclass
class Server:
    """A Qdrant server that can be stopped and started where it was, its collections intact."""

    fake: QdrantFake = field(default_factory=QdrantFake)
    port: int = 0
    _running: ExitStack = field(default_factory=ExitStack)

    def start(self) -> None:
        url = self._running.enter_context(self.fake.listen(self.port))
        self.port = urlsplit(url).port or 0

    def stop(self) -> None:
        self._running.close()


@pytest.fixture
def qdrant() -> Iterator[Server]:
    server = Server()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def http(qdrant: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """A client of a service with ten images."""
    monkeypatch.setattr(runner, "_IDLE_SECONDS", 0.05)
    monkeypatch.setattr(watching, "_ANSWER_SECONDS", 0.5)
    store = ServerStore(connect(f"http://127.0.0.1:{qdrant.port}", None, timeout=1))
    with serving(store=store) as service, httpx.Client(base_url=service.url, timeout=30) as client:
        assert client.put(C, json={}).status_code == 201
        assert added(client, *range(10)).json()["items"][9]["status"] == "created"
        yield client


def added(client: httpx.Client, *seeds: int) -> httpx.Response:
    files = [("images", jpeg(seed=seed)) for seed in seeds]
    ids = json.dumps([f"i{seed}" for seed in seeds])
    return client.post(f"{C}/images", files=files, data={"ids": ids})


def embedded(client: httpx.Client) -> bool:
    return client.post("/v1/embed", content=jpeg(), headers=JPEG).status_code == 200


def ready(client: httpx.Client) -> int:
    return client.get("/readyz").status_code


def assert_says_that_the_store_is_away(answer: httpx.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert answer.json()["code"] == "store_unavailable"
    assert int(answer.headers["retry-after"]) >= 1


def test_while_the_store_is_gone_embedding_goes_on_and_then_all_of_it(
    qdrant: Server, http: httpx.Client
) -> None:
    qdrant.stop()
    for _ in range(3):
        assert_says_that_the_store_is_away(http.post(f"{C}/search", json={"id": "i0"}))
        assert_says_that_the_store_is_away(added(http, 20))
        assert_says_that_the_store_is_away(http.get("/v1/jobs"))
        assert ready(http) == 503
        assert http.get("/livez").status_code == 200
        assert embedded(http)
    qdrant.start()
    assert ready(http) == 200
    assert len(http.post(f"{C}/search", json={"id": "i0", "limit": 3}).json()["hits"]) == 3
    assert added(http, 20).json()["items"][0]["status"] == "created"


def test_a_store_that_hangs_holds_up_nobody_who_does_not_need_it(
    qdrant: Server, http: httpx.Client
) -> None:
    qdrant.stop()
    with (
        socket.create_server(("127.0.0.1", qdrant.port), backlog=100),
        ThreadPoolExecutor(40) as pool,
    ):
        waiting = [pool.submit(http.post, f"{C}/search", json={"id": "i0"}) for _ in range(40)]
        assert embedded(http)
        assert ready(http) == 503
        assert http.get("/metrics").status_code == 200
        assert not all(search.done() for search in waiting)
        for search in waiting:
            assert_says_that_the_store_is_away(search.result())
    qdrant.start()
    until(lambda: ready(http) == 200, "the service is ready again")
    assert http.post(f"{C}/search", json={"id": "i0"}).status_code == 200
