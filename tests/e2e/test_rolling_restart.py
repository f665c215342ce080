"""Two replicas on one Qdrant server, restarted one after the other under load: nobody notices."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from examples.demo.server import LiveService
from tests.e2e.live import live_service
from tests.fakes.load_balancer import LoadBalancer
from tests.fakes.qdrant import QdrantFake
from tests.pictures import jpeg

PROBE_SECONDS = 0.2
DRAIN_SECONDS = 1.0
WRITERS, READERS = 1, 1


class Replica:
    """A replica that can be restarted on its port."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._stack = folder, ExitStack()
        self.service: LiveService = self._stack.enter_context(live_service(folder))

    def stop(self) -> None:
        """SIGTERM, and wait for its end."""
        self.service.process.send_signal(signal.SIGTERM)
        self.service.process.wait(60)

    def start(self) -> None:
        self._stack.enter_context(live_service(self._folder, port=self.service.port))

    def close(self) -> None:
        self._stack.close()


class Load:
    """Callers that write and read without pause, and remember what they were told."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.written: list[str] = []
        self.answers: list[int] = []
        self.troubles: list[str] = []
        self._ended = threading.Event()
        callers = [self._write] * WRITERS + [self._read] * READERS
        self._threads = [threading.Thread(target=c, args=(i,)) for i, c in enumerate(callers)]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _write(self, caller: int) -> None:
        with httpx.Client(base_url=self.url, timeout=60) as http:
            for i in range(10**6):
                if self._ended.wait(0.05):
                    return
                id = f"{caller}/{i}"
                answer = http.post(
                    "/v1/collections/c/images",
                    files={"images": jpeg(seed=i)},
                    data={"ids": json.dumps([id])},
                )
                if self._noted(answer):
                    self.written.append(id)

    def _read(self, caller: int) -> None:
        with httpx.Client(base_url=self.url, timeout=60) as http:
            while not self._ended.wait(0.05):
                self._noted(http.get("/v1/collections/c/images?limit=5"))
                headers = {"content-type": "image/jpeg"}
                self._noted(http.post("/v1/embed", content=jpeg(seed=caller), headers=headers))

    def _noted(self, answer: httpx.Response) -> bool:
        self.answers.append(answer.status_code)
        if not answer.is_success:
            self.troubles.append(f"{answer.request.method} {answer.request.url}: {answer.text}")
        return answer.is_success


@pytest.fixture
def qdrant() -> Iterator[str]:
    with QdrantFake().listen() as url:
        yield url


def test_a_rolling_restart_fails_no_request_and_loses_no_write(
    tmp_path: Path, qdrant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOKALIKE_MODEL", "pixels:8x8-grey")
    monkeypatch.setenv("LOOKALIKE_QDRANT_URL", qdrant)
    monkeypatch.setenv("LOOKALIKE_DRAIN_SECONDS", str(DRAIN_SECONDS))
    replicas = []
    with ExitStack() as stack:
        for name in "ab":
            (tmp_path / name).mkdir()
            replicas.append(Replica(tmp_path / name))
            stack.callback(replicas[-1].close)
        ports = [replica.service.port for replica in replicas]
        balancer = LoadBalancer(ports, PROBE_SECONDS)
        url = stack.enter_context(balancer.listen())
        assert httpx.put(f"{url}/v1/collections/c", json={}).status_code == 201
        with Load(url) as load:
            for replica in replicas:
                time.sleep(0.5)
                replica.stop()
                balancer.until_ready(replica.service.port, ready=False)
                replica.start()
                balancer.until_ready(replica.service.port)
            time.sleep(0.5)
        assert not load.troubles, load.troubles[:5]
        assert not balancer.failures, balancer.failures[:5]
        assert len(load.answers) > 100
        for port in ports:
            listed = f"http://127.0.0.1:{port}/v1/collections/c"
            assert httpx.get(listed).json()["points"] == len(load.written)
            for id in load.written[:: len(load.written) // 20]:
                found = httpx.get(f"{listed}/images/{id.replace('/', '%2F')}")
                assert found.json()["id"] == id
