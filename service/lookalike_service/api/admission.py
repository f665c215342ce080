"""Before a body is read: whose request it is, how urgent, and whether it is accepted at all."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

from fastapi import FastAPI

from lookalike_service.access.caller import Caller
from lookalike_service.api.bodies import is_raw_image
from lookalike_service.api.browsers import Browsers
from lookalike_service.api.reception import Bodies
from lookalike_service.api.security import Gate
from lookalike_service.batching.turns import Turns
from lookalike_service.batching.work import Priority, Work
from lookalike_service.errors import InvalidField, LookalikeError
from lookalike_service.settings import Settings

Scope = Mapping[str, Any]
Headers = Mapping[bytes, bytes]
PRIORITY, DEADLINE = b"x-priority", b"x-deadline-seconds"
LONGEST_DEADLINE = 3600.0


@dataclass(frozen=True, slots=True)
class Admitted:
    """Who makes a request, None for nobody, and for whom its images are embedded."""

    caller: Caller | None
    work: Work


class Admission:
    """What is asked of every request. Whether nobody in particular is good enough, the route decides."""

    def __init__(self, gate: Gate, bodies: Bodies, settings: Settings) -> None:
        self._gate, self._bodies = gate, bodies
        self._browsers = Browsers(settings, has_keys=gate.has_keys)
        self.has_keys = gate.has_keys

    def check(
        self,
        app: FastAPI,
        scope: Scope,
        headers: Headers,
        left: Callable[[], Awaitable[None]] | None = None,
    ) -> Admitted:
        """Who makes it, if it is accepted; `left` as in Work.

        Raises Forbidden, BodyTooLarge, InvalidField, Overloaded.
        """
        self._browsers.check(scope, headers)
        try:
            caller = self._gate.identify(scope, headers)
        except LookalikeError:
            caller = None
        self._bodies.check(headers.get(b"content-length", b""))
        work = _work(scope, headers, caller)
        work.left = left
        if scope["method"] == "POST" and _has_images(headers):
            turns: Turns = app.state.context.embedder.turns
            turns.check(work.caller, work.priority or _priority(scope))
        return Admitted(caller, work)


def _work(scope: Scope, headers: Headers, caller: Caller | None) -> Work:
    asked = headers.get(PRIORITY)
    if asked is not None and asked not in {b"interactive", b"bulk"}:
        raise InvalidField("Header 'X-Priority' is 'interactive' or 'bulk'.")
    priority = None if asked is None else cast("Priority", asked.decode())
    return Work(_id(scope, caller), priority, _deadline(headers.get(DEADLINE)))


def _id(scope: Scope, caller: Caller | None) -> str:
    """The key that was used, else the address."""
    if caller is not None:
        return caller.id
    client = scope.get("client")
    return "" if client is None else str(client[0])


def _deadline(text: bytes | None) -> float | None:
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds <= LONGEST_DEADLINE:
        raise InvalidField(
            "Header 'X-Deadline-Seconds' is for how long the answer is of use: a number above 0, at most "
            f"{LONGEST_DEADLINE:g}."
        )
    return time.monotonic() + seconds


def _has_images(headers: Headers) -> bool:
    """Whether the body is images, which every route that takes such embeds."""
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin-1")
    return kind == "multipart/form-data" or is_raw_image(kind)


def _priority(scope: Scope) -> Priority:
    """What the route will give it, unless there are many images."""
    return "bulk" if scope["path"].endswith("/images") else "interactive"
