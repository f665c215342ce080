"""Two replicas on one Qdrant server, restarted one after the other under load: nobody notices.

LOOKALIKE_ROLLING=processes has them be processes of their own, whose start takes most of a minute.
"""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from examples.demo.server import LiveService, free_port
from lookalike_service.store.server import ServerStore, connect
from tests.e2e.live import live_service
from tests.fakes.load_balancer import LoadBalancer
from tests.fakes.qdrant import QdrantFake
from tests.faults.serving import Serving, serving
from tests.pictures import jpeg

PROBE_SECONDS = 0.2
DRAIN_SECONDS = 1.0
WRITERS, READERS = 1, 1


class Replica:
    """A replica that can be restarted on its port."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._running: Serving | LiveService | None = None
        self.port = free_port()

    def start(self) -> None:
        self._running = self._stack.enter_context(self.started())

    def stop(self) -> None:
        """SIGTERM, and wait for its end."""
        if isinstance(self._running, Serving):
            self._running.signalled()
            self._running.thread.join(60)
        elif self._running is not None:
            self._running.process.send_signal(signal.SIGTERM)
            self._running.process.wait(60)

    def close(self) -> None:
        self._stack.close()

    def started(self) -> AbstractContextManager[Serving | LiveService]:
        raise NotImplementedError


class ThreadReplica(Replica):
    """In this process, which starts fast."""

    def __init__(self, _folder: Path, qdrant: str) -> None:
        super().__init__()
        self._qdrant = qdrant

    def started(self) -> AbstractContextManager[Serving | LiveService]:
        store = ServerStore(connect(self._qdrant, None))
        return serving(store=store, port=self.port, drain_seconds=DRAIN_SECONDS)


class ProcessReplica(Replica):
    """As it is deployed."""

    def __init__(self, folder: Path, qdrant: str) -> None:
        super().__init__()
        self._folder = folder
        folder.mkdir()
        self._variables = {
            "LOOKALIKE_MODEL": "pixels:8x8-grey",
            "LOOKALIKE_QDRANT_URL": qdrant,
            "LOOKALIKE_DRAIN_SECONDS": str(DRAIN_SECONDS),
        }

    @contextmanager
    def started(self) -> Iterator[Serving | LiveService]:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self._variables.items():
                patch.setenv(name, value)
            with live_service(self._folder, port=self.port) as service:
                yield service


REPLICA = ProcessReplica if os.environ.get("LOOKALIKE_ROLLING") == "processes" else ThreadReplica


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


def test_a_rolling_restart_fails_no_request_and_loses_no_write(tmp_path: Path, qdrant: str) -> None:
    replicas = []
    with ExitStack() as stack:
        for name in "ab":
            replicas.append(REPLICA(tmp_path / name, qdrant))
            stack.callback(replicas[-1].close)
            replicas[-1].start()
        ports = [replica.port for replica in replicas]
        balancer = LoadBalancer(ports, PROBE_SECONDS)
        url = stack.enter_context(balancer.listen())
        assert httpx.put(f"{url}/v1/collections/c", json={}).status_code == 201
        with Load(url) as load:
            for replica in replicas:
                time.sleep(0.5)
                replica.stop()
                balancer.until_ready(replica.port, ready=False)
                replica.start()
                balancer.until_ready(replica.port)
            time.sleep(0.5)
        assert not load.troubles, load.troubles[:5]
        assert not balancer.failures, balancer.failures[:5]
        assert len(load.answers) > 50
        for port in ports:
            listed = f"http://127.0.0.1:{port}/v1/collections/c"
            assert httpx.get(listed).json()["points"] == len(load.written)
            for id in load.written[:: max(1, len(load.written) // 20)]:
                found = httpx.get(f"{listed}/images/{id.replace('/', '%2F')}")
                assert found.json()["id"] == id
