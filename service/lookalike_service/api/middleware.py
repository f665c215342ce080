"""What wraps every request: the raw path, the body limit, metrics and the log of failures."""

from __future__ import annotations

import time
import uuid

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lookalike_service.api.metrics import Metrics
from lookalike_service.api.problems import problem_response
from lookalike_service.errors import BodyTooLarge

log = structlog.get_logger(__name__)
_LOGGED_FROM = 400
_QUIET = {"/livez", "/readyz", "/metrics"}


class RawPath:
    """Route on the path as sent, so that an image id may hold an encoded slash."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "http" and scope.get("raw_path"):
            scope = {**scope, "path": scope["raw_path"].decode("ascii", "replace")}
        await self._app(scope, receive, send)


class BodyLimit:
    """Refuse a body beyond the limit: at once if it says its length, else as soon as it grows past it."""

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self._max_bytes:
            scope["app"].state.metrics.errors.labels(BodyTooLarge.code).inc()
            await problem_response(self._too_large())(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                raise self._too_large()
            return message

        await self._app(scope, counted, send)

    def _too_large(self) -> BodyTooLarge:
        return BodyTooLarge(
            f"The request body exceeds {self._max_bytes} bytes; send the images in several requests.",
            headers={"Connection": "close"},
        )


class Observed:
    """Give each request an id, count and time it by route template, and log it if it failed."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and record it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = (
            dict(scope["headers"]).get(b"x-request-id", b"")[:64] or uuid.uuid4().hex.encode()
        )
        status, start = 500, time.perf_counter()

        async def tagged(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id)]
            await send(message)

        try:
            await self._app(scope, receive, tagged)
        finally:
            self._record(scope, status, time.perf_counter() - start, request_id)

    def _record(self, scope: Scope, status: int, seconds: float, request_id: bytes) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        self._metrics.requests.labels(scope["method"], route, status).inc()
        self._metrics.latency.labels(scope["method"], route).observe(seconds)
        # Successes are counted, not logged: a line each costs more than routing the request.
        if status >= _LOGGED_FROM and route not in _QUIET:
            log.info(
                "request",
                method=scope["method"],
                path=scope["path"],
                status=status,
                ms=round(seconds * 1000, 1),
                request_id=request_id.decode("latin-1"),
            )
