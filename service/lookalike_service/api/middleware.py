"""What wraps every request: the raw path, the body limit, metrics, a span and the log of failures."""

from __future__ import annotations

import logging
import random
import re
import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lookalike_service.api.problems import problem_response, refuse
from lookalike_service.errors import BodyTooLarge, Internal
from lookalike_service.telemetry import tracing
from lookalike_service.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)
_LOGGED_FROM = 400
_TOO_MANY = 429
"""Counted like successes: a line for each would be most of what it costs to refuse it."""

_QUIET = {"/livez", "/readyz", "/metrics"}
_REQUEST_ID = re.compile(rb"[!-~]{1,64}")


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
            await refuse(self._too_large(), scope, receive, send)
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
    """Give each request an id, count, time and trace it by route template, and log it once if it failed.

    The caller's `X-Request-Id` is taken over if it is printable and no longer than 64 characters. What no
    handler expected is answered here, where the id is known.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and record it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope)
        tokens = structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            with tracing.request(scope["method"], scope["headers"]) as span:
                await self._observed(scope, receive, send, request_id, span)
        finally:
            structlog.contextvars.reset_contextvars(**tokens)

    async def _observed(
        self, scope: Scope, receive: Receive, send: Send, request_id: str, span: tracing.Span | None
    ) -> None:
        header = (b"x-request-id", request_id.encode())
        status, start = 500, time.perf_counter()
        started, failure = False, None

        async def tagged(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                status, started = message["status"], True
                message["headers"] = [*message.get("headers", ()), header]
            await send(message)

        try:
            await self._app(scope, receive, tagged)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller is owed an answer
            failure = error
            self._metrics.errors.labels(Internal.code).inc()
            if not started:
                await problem_response(_unexpected(request_id))(scope, receive, tagged)
        finally:
            self._record(scope, status, time.perf_counter() - start, failure, span)

    def _record(
        self,
        scope: Scope,
        status: int,
        seconds: float,
        failure: Exception | None,
        span: tracing.Span | None,
    ) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        self._metrics.request(scope["method"], route, status, seconds)
        if span is not None:
            tracing.end_request(span, scope["method"], route, status)
        # Successes are counted, not logged: a line each costs more than routing the request.
        unlogged = status < _LOGGED_FROM or status == _TOO_MANY or route in _QUIET
        if failure is None and unlogged:
            return
        log.log(
            logging.ERROR if failure else _level(status),
            "request failed",
            method=scope["method"],
            path=scope["path"],
            status=status,
            code=scope.get("lookalike.code", Internal.code if failure else None),
            ms=round(seconds * 1000, 1),
            exc_info=failure,
        )


def _level(status: int) -> int:
    if status == 500:
        return logging.ERROR
    return logging.WARNING if status > 500 else logging.INFO


def _request_id(scope: Scope) -> str:
    given: bytes = dict(scope["headers"]).get(b"x-request-id", b"")
    if _REQUEST_ID.fullmatch(given):
        return given.decode()
    # It only has to differ. A UUID asks the system for entropy, which lets other threads in between.
    return f"{random.getrandbits(128):032x}"


def _unexpected(request_id: str) -> Internal:
    return Internal(
        f"The service failed on this request; its log has the details under request id {request_id}."
    )
