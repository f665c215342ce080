"""Before a body is read: whose request it is, how urgent, and whether its images are accepted at all.

A refusal here costs a fraction of one by a route: while ten times more comes than can be done, nine in ten
requests end here.
"""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from fastapi import FastAPI

from lookalike_service.access.caller import Caller
from lookalike_service.api.bodies import is_raw_image
from lookalike_service.batching.turns import Turns
from lookalike_service.batching.work import Priority, Work
from lookalike_service.errors import InvalidField

Scope = Mapping[str, Any]
PRIORITY, DEADLINE = b"x-priority", b"x-deadline-seconds"
LONGEST_DEADLINE = 3600.0


def work_of(
    scope: Scope,
    headers: Mapping[bytes, bytes],
    caller: Caller | None,
    left: Callable[[], Awaitable[None]] | None,
) -> Work:
    """For whom a request is, how urgent, and until when; `left` as in Work. Raises InvalidField."""
    asked = headers.get(PRIORITY)
    if asked is not None and asked not in {b"interactive", b"bulk"}:
        raise InvalidField("Header 'X-Priority' is 'interactive' or 'bulk'.")
    priority = None if asked is None else cast("Priority", asked.decode())
    return Work(_id(scope, caller), priority, _deadline(headers.get(DEADLINE)), left)


def check_turn(app: FastAPI, scope: Scope, headers: Mapping[bytes, bytes], work: Work) -> None:
    """Return if an image that this request brings would have a turn. Raises Overloaded."""
    if scope["method"] == "POST" and _has_images(headers):
        turns: Turns = app.state.context.embedder.turns
        turns.check(work.caller, work.priority or _priority(scope))


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


def _has_images(headers: Mapping[bytes, bytes]) -> bool:
    """Whether the body is images, which every route that takes such embeds."""
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin-1")
    return kind == "multipart/form-data" or is_raw_image(kind)


def _priority(scope: Scope) -> Priority:
    """What the route will give it, unless there are many images."""
    return "bulk" if scope["path"].endswith("/images") else "interactive"
