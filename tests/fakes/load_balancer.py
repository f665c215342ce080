"""A load balancer: each request goes to the next replica whose `/readyz` said 200 when it was last asked."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler

import httpx

from tests.fakes.loopback import listening

_PASSED_ON = {"content-type", "retry-after", "x-request-id"}


class LoadBalancer:
    """Knows the replicas by their ports, and asks them every `seconds`, one like any other: late, that is."""

    def __init__(self, ports: Sequence[int], seconds: float) -> None:
        self.ready = list(ports)
        self.failures: list[str] = []
        self._ports, self._seconds = ports, seconds
        self._turn = itertools.count()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._probe, daemon=True)

    @contextlib.contextmanager
    def listen(self) -> Iterator[str]:
        """The address at which it answers."""
        self._thread.start()
        try:
            with listening(_handler(self)) as url:
                yield url
        finally:
            self._ended.set()
            self._thread.join()

    def next(self) -> int:
        """The port of the replica whose turn it is."""
        ready = self.ready
        return ready[next(self._turn) % len(ready)]

    def until_ready(self, port: int, *, ready: bool = True) -> None:
        """Return once it is known to be ready, or not to be."""
        while (port in self.ready) != ready:
            time.sleep(0.02)

    def _probe(self) -> None:
        while not self._ended.wait(self._seconds):
            self.ready = [port for port in self._ports if _says_ready(port)]


def _says_ready(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=15).status_code == 200
    except httpx.TransportError:
        return False


def _handler(balancer: LoadBalancer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            port = balancer.next()
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            try:
                connection.request(self.command, self.path, body, dict(self.headers))
                answer = connection.getresponse()
                content = answer.read()
            except (OSError, http.client.HTTPException) as error:
                balancer.failures.append(f"{self.command} {self.path} at {port}: {error!r}")
                self.send_error(502)
                return
            finally:
                connection.close()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() in _PASSED_ON:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _pass_on  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    return Handler
