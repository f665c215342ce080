"""How the service listens: uvicorn, with bounds on connections and headers, and an end that loses nothing.

Stopping takes three steps. At SIGTERM `/readyz` says 503 and every answer closes its connection, while new
requests are still served: load balancers hear of it with a delay. Then nothing is accepted any more, and what
is under way is answered. What is left after that is cut off. A second signal ends the process at once.
"""

from __future__ import annotations

import asyncio
import resource
import signal
import threading
import time
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from lookalike_service.api.problems import problem_response
from lookalike_service.api.shedding import Shedding
from lookalike_service.errors import Overloaded
from lookalike_service.settings import Settings

_HEAD_BYTES = 65_536
_ANSWER_SECONDS = 30
_PATIENCE = 4
"""How many times as long as a sender a reader may stop: it may have to work on what it read."""
_KEEP_ALIVE_SECONDS = 75
"""Longer than the minute after which load balancers let go: a request must not meet a closing connection."""


def run(app: FastAPI, settings: Settings) -> None:
    """Serve until a signal comes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * settings.max_connections + 1024  # large uploads are files besides
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    Server(configured(app, settings), app, settings.drain_seconds).run()


def configured(app: FastAPI, settings: Settings) -> uvicorn.Config:
    """Uvicorn's configuration for the service."""

    class Connection(BoundedConnection):
        stopping, shedding = app.state.stopping, app.state.shedding
        head_seconds = settings.upload_seconds
        unread_seconds = _PATIENCE * settings.upload_seconds
        most = settings.max_connections

    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=Connection,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_ANSWER_SECONDS,
    )


class Server(uvicorn.Server):
    """Uvicorn's server, which goes on accepting for `drain_seconds` after SIGTERM."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, drain_seconds: float) -> None:
        super().__init__(config)
        self._stopping, self._drain_seconds = app.state.stopping, drain_seconds
        self._closes_at = float("inf")

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature of signal handlers
        """Begin to stop; at a second signal, end."""
        if self._stopping.is_set():
            self.should_exit = self.force_exit = True
            return
        self._captured_signals.append(sig)
        self._stopping.set()
        # Whoever presses Ctrl-C has no load balancer to wait for.
        delay = self._drain_seconds if sig == signal.SIGTERM else 0
        self._closes_at = time.monotonic() + delay

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second; whether to stop accepting."""
        if time.monotonic() >= self._closes_at:
            self.should_exit = True
        return await super().on_tick(counter)


class BoundedConnection(HttpToolsProtocol):
    """One connection: so much time and room for the headers of a request, and only so many beside it."""

    stopping: threading.Event
    shedding: Shedding
    head_seconds: float
    unread_seconds: float
    most: int

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._crowded = False
        self._bare_bytes = 0
        """What came since the last piece of a body: headers, trailers, what frames the pieces."""
        self._head_timer: asyncio.TimerHandle | None = None
        self._rest_timer: asyncio.TimerHandle | None = None
        self._unread_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn
        """Expect a request, or refuse it where there are too many connections."""
        super().connection_made(transport)
        self._crowded = len(self.connections) > self.most
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing any more."""
        self._head_came()
        self._was_read()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless what is no body takes too much room."""
        self._bare_bytes += len(data)
        super().data_received(data)
        if self._bare_bytes <= _HEAD_BYTES or self.transport.is_closing():
            return
        if self._head_timer is not None:
            self.send_400_response(f"The request's headers exceed {_HEAD_BYTES} bytes.")
        else:  # an answer may be under way
            self.transport.close()

    def on_message_begin(self) -> None:
        """A request begins; its first bytes may have come with those of the one before."""
        super().on_message_begin()
        self._expect_head()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note a header; what comes after the body is none."""
        if self._head_timer is not None:
            super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """Pass a piece of the body on."""
        self._bare_bytes = 0
        super().on_body(body)

    def on_headers_complete(self) -> None:
        """The headers are there: start the request, or refuse it where it would only wait."""
        self._head_came()
        if (answer := self._refusal()) is not None:
            self.cycle = _ANSWERED
            self.transport.write(answer)
            self.on_response_complete()
            return
        app = self.app
        # Whoever asks only whether the process lives would restart it for what strangers do.
        if self._crowded and self.url != b"/livez":
            self.app = _too_many_connections
        super().on_headers_complete()
        self.app = app
        if self.stopping.is_set() or self._crowded:
            self.cycle.keep_alive = False

    def on_message_complete(self) -> None:
        """A request has come as a whole."""
        if self._rest_timer is not None:
            self._rest_timer.cancel()
            self._rest_timer = None
        super().on_message_complete()
        answered = self.cycle is not None and self.cycle.response_complete
        if answered and not self.transport.is_closing():
            # Uvicorn stopped waiting for the next request when the rest of this one came.
            self._unset_keepalive_if_required()
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def on_response_complete(self) -> None:
        """A request is answered; of its body something may be left to come, and is dropped."""
        super().on_response_complete()
        if self.cycle.more_body and not self.transport.is_closing():
            self._rest_timer = self.loop.call_later(self.head_seconds, self.transport.close)

    def pause_writing(self) -> None:
        """What was sent is not read: wait, but not for ever."""
        super().pause_writing()
        self._unread_timer = self.loop.call_later(self.unread_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """It was read."""
        self._was_read()
        super().resume_writing()

    def _was_read(self) -> None:
        if self._unread_timer is not None:
            self._unread_timer.cancel()
            self._unread_timer = None

    def _refusal(self) -> bytes | None:
        """The answer to a request that has no turn; None too where more than an answer is to be done."""
        under_way = self.cycle is not None and not self.cycle.response_complete
        if (
            under_way
            or self.flow.write_paused
            or self.expect_100_continue
            or self.parser.get_http_version() != "1.1"
            or not self.parser.should_keep_alive()
            or self.parser.should_upgrade()
            or self.stopping.is_set()
            or self._crowded
        ):
            return None
        path = self.url.partition(b"?")[0].decode("ascii", "replace")
        self.scope |= {"method": self.parser.get_method().decode(), "path": path}
        return self.shedding.answer(self.scope, self.server_state.default_headers)

    def _expect_head(self) -> None:
        if self._head_timer is None:
            self._bare_bytes = 0
            self._head_timer = self.loop.call_later(self.head_seconds, self._head_is_late)

    def _head_came(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        self.transport.close()


class _Answered:
    """In place of the cycle of a request that is answered already; what comes of its body is dropped."""

    response_complete = more_body = True
    disconnected = keep_alive = False
    message_event = asyncio.Event()


_ANSWERED: Any = _Answered()


async def _too_many_connections(scope: Any, receive: Any, send: Any) -> None:
    error = Overloaded("There are too many connections; keep fewer open, or try again shortly.")
    await problem_response(error)(scope, receive, send)
