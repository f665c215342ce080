"""The app as `lookalike serve` listens, in this process: with its bounds and its way to stop."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI

from lookalike_service.http_server import Server, configured
from lookalike_service.settings import Settings
from lookalike_service.store.protocol import Store
from tests.fakes.encoder import FakeEncoder
from tests.fakes.service import fake_app
from tests.fakes.store import FakeStore


@dataclass(frozen=True)
class Serving:
    """A running server, and what stands behind it."""

    app: FastAPI
    server: Server
    thread: threading.Thread
    port: int

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    def connect(self) -> socket.socket:
        """A connection to it."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def signalled(self) -> None:
        """What SIGTERM does; threads get none."""
        self.server.handle_exit(signal.SIGTERM, None)


@contextlib.contextmanager
def serving(
    encoder: FakeEncoder | None = None, store: Store | None = None, **settings: Any
) -> Iterator[Serving]:
    """Start the server and stop it."""
    app = fake_app(encoder or FakeEncoder(), store or FakeStore(), **settings)
    server_settings = Settings(**{"port": 0} | settings)
    server = Server(configured(app, server_settings), app, server_settings.drain_seconds)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    started = Serving(app, server, thread, server.servers[0].sockets[0].getsockname()[1])
    try:
        yield started
    finally:
        server.should_exit = True
        thread.join(10)
        server.force_exit = True
        thread.join(30)
