"""Before a body is read: whose request it is, how urgent, and whether it is accepted at all.

A refusal here costs a fraction of one by a route: while ten times more comes than can be done, nine in ten
requests end here.
"""

from __future__ import annotations

import math
import time
from typing import cast

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lookalike_service.api.bodies import is_raw_image
from lookalike_service.api.problems import refuse
from lookalike_service.batching.bounds import refusal
from lookalike_service.batching.turns import Turns
from lookalike_service.batching.work import Priority, Work, working
from lookalike_service.errors import InvalidField, LookalikeError
from lookalike_service.telemetry.metrics import Metrics

PRIORITY, DEADLINE = b"x-priority", b"x-deadline-seconds"
_LONGEST_DEADLINE = 3600.0


class Admission:
    """Refuses what the queue or the memory has no room for; tells the rest whose work it is."""

    def __init__(self, app: ASGIApp, max_bytes: int, metrics: Metrics) -> None:
        self._app, self._bodies = app, _Bodies(max_bytes, metrics)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        body = _Body(self._bodies, receive)
        try:
            work = _work(scope, headers, body)
            self._check(scope, headers, work)
        except LookalikeError as error:
            await refuse(error, scope, receive, send)
            return
        try:
            with working(work):
                await self._app(scope, body, send)
        finally:
            body.free()

    def _check(self, scope: Scope, headers: dict[bytes, bytes], work: Work) -> None:
        """Raises Overloaded where the body would be read in vain."""
        declared = headers.get(b"content-length", b"")
        self._bodies.check(int(declared) if declared.isdigit() else 0)
        if scope["method"] == "POST" and _is_images(headers):
            turns: Turns = scope["app"].state.context.embedder.turns
            turns.check(work.caller, work.priority or _priority(scope))


class _Bodies:
    """Bytes of request bodies that were received and whose requests are not answered yet."""

    def __init__(self, most: int, metrics: Metrics) -> None:
        self.most, self.held = most, 0
        self._metrics = metrics

    def check(self, more: int) -> None:
        """Return if so many more may be received; a body that is alone always may. Raises Overloaded."""
        if self.held and self.held + more > self.most:
            self._metrics.refused.labels("bodies").inc()
            raise refusal(
                "bodies",
                1,
                f"Request bodies of {self.held:,} bytes are held in memory; at most {self.most:,} may be.",
            )


class _Body:
    """Counts what is received of one body; afterwards it tells when the client leaves."""

    def __init__(self, bodies: _Bodies, receive: Receive) -> None:
        self._bodies, self._receive = bodies, receive
        self._held = 0

    async def __call__(self) -> Message:
        """The next message. Raises Overloaded if there is no room for it."""
        message = await self._receive()
        more = len(message.get("body", b""))
        if more:
            if self._held < self._bodies.held:
                self._bodies.check(more)
            self._held += more
            self._bodies.held += more
        return message

    def free(self) -> None:
        """The request is answered."""
        self._bodies.held -= self._held
        self._held = 0

    async def left(self) -> None:
        """Return once the client is gone. The body must have been read."""
        while (await self._receive())["type"] != "http.disconnect":
            pass


def _work(scope: Scope, headers: dict[bytes, bytes], body: _Body) -> Work:
    """Raises InvalidField."""
    asked = headers.get(PRIORITY)
    if asked is not None and asked not in {b"interactive", b"bulk"}:
        raise InvalidField("Header 'X-Priority' is 'interactive' or 'bulk'.")
    priority = None if asked is None else cast("Priority", asked.decode())
    return Work(_caller(scope), priority, _deadline(headers.get(DEADLINE)), body.left)


def _caller(scope: Scope) -> str:
    """The key that was used, else the address."""
    known = scope.get("state", {}).get("caller")
    if known is not None:
        return str(known.id)
    client = scope.get("client")
    return "" if client is None else str(client[0])


def _deadline(text: bytes | None) -> float | None:
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= _LONGEST_DEADLINE:
        raise InvalidField(
            "Header 'X-Deadline-Seconds' is for how long the answer is of use: a number above 0, at most "
            f"{_LONGEST_DEADLINE:g}."
        )
    return time.monotonic() + seconds


def _is_images(headers: dict[bytes, bytes]) -> bool:
    """Whether the body is images, which every route that takes such embeds."""
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin-1")
    return kind == "multipart/form-data" or is_raw_image(kind)


def _priority(scope: Scope) -> Priority:
    """What the route will give it, unless there are many images."""
    return "bulk" if scope["path"].endswith("/images") else "interactive"
