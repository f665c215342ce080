"""What every request passes on its way to a route and its answer on the way back, in one layer.

Layers of middleware, each reading the headers and wrapping what comes and goes, took longer together than
all the rest of embedding a small image, and most of what it takes to refuse one.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lookalike_service.api.admission import Admission
from lookalike_service.api.headers import every_answer
from lookalike_service.api.problems import problem_response, refuse
from lookalike_service.api.reception import Bodies, Body
from lookalike_service.api.record import Outcome, record
from lookalike_service.api.request_headers import REQUEST_ID, headers_of, id_of
from lookalike_service.batching.work import working
from lookalike_service.errors import Internal, LookalikeError
from lookalike_service.telemetry import tracing
from lookalike_service.telemetry.metrics import Metrics


class Entrance:
    """Gives each request an id, finds out whose it is, refuses what no route should see, records the answer.

    What no handler expected is answered here. `request.state.caller` is None for nobody: whether nobody is
    good enough, the route decides.
    """

    def __init__(
        self, app: ASGIApp, *, admission: Admission, bodies: Bodies, metrics: Metrics
    ) -> None:
        self._app, self._admission, self._bodies, self._metrics = app, admission, bodies, metrics
        self._added = every_answer(has_keys=admission.has_keys)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it; then record what became of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, _SayingWhy(send))
            return
        headers = headers_of(scope)
        request_id = id_of(headers)
        tokens = structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            with tracing.request(scope["method"], scope["headers"]) as span:
                answer = Answer(send, self._added, request_id)
                start, failure = time.perf_counter(), None
                try:
                    failure = await self._answered(scope, headers, receive, answer)
                finally:
                    seconds = time.perf_counter() - start
                    record(self._metrics, scope, Outcome(answer.status, seconds, failure), span)
        finally:
            structlog.contextvars.reset_contextvars(**tokens)

    async def _answered(
        self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive, answer: Answer
    ) -> Exception | None:
        """Answer, whatever happens; what happened that nothing expects."""
        scope["lookalike.body"] = body = Body(self._bodies, receive, headers)
        try:
            await self._passed(scope, headers, body, answer)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller is owed an answer
            self._metrics.errors.labels(Internal.code).inc()
            if not answer.started:
                await problem_response(_unexpected(answer.request_id))(scope, body, answer)
            return error
        finally:
            body.free()
        return None

    async def _passed(
        self, scope: Scope, headers: Mapping[bytes, bytes], body: Body, answer: Answer
    ) -> None:
        if scope.get("raw_path"):  # as it was sent, so that an image id may hold an encoded slash
            scope["path"] = scope["raw_path"].decode("ascii", "replace")
        try:
            admitted = self._admission.check(scope["app"], scope, headers, body.left)
        except LookalikeError as error:
            await refuse(error, scope, body, answer)
            return
        caller = scope.setdefault("state", {})["caller"] = admitted.caller
        if caller is not None and caller.has_key:
            structlog.contextvars.bind_contextvars(key=caller.id)
        with working(admitted.work):
            await self._app(scope, body, answer)


class Answer:
    """One request's answer, as ASGI's `send`: adds the headers that all have, and remembers what it was."""

    __slots__ = ("_added", "_send", "request_id", "started", "status")

    def __init__(self, send: Send, added: Mapping[bytes, bytes], request_id: str) -> None:
        self._send, self._added, self.request_id = send, added, request_id
        self.status, self.started = 500, False

    async def __call__(self, message: Message) -> None:
        """Send the next message."""
        if message["type"] == "http.response.start":
            self.status, self.started = message["status"], True
            own = message.get("headers", ())
            names = {name.lower() for name, _ in own}
            added = [pair for pair in self._added.items() if pair[0] not in names]
            message["headers"] = [*own, *added, (REQUEST_ID, self.request_id.encode())]
        await self._send(message)


class _SayingWhy:
    """`send` of the start: why it failed, where that is known, without a traceback."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def __call__(self, message: Message) -> None:
        if message["type"] == "lifespan.startup.failed":
            error = sys.exception()  # Starlette sends this while it handles it
            if isinstance(error, LookalikeError | OSError):
                reason = error.detail if isinstance(error, LookalikeError) else error
                message = {**message, "message": f"the service cannot start: {reason}"}
        await self._send(message)


def _unexpected(request_id: str) -> Internal:
    return Internal(
        f"The service failed on this request; its log has the details under request id {request_id}."
    )
