"""When to try a call again: after 429 and 503, and when the connection fails."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from lookalike.call import Answer, Call
from lookalike.errors import ClientError, TimedOut

_FIRST_STEP = 0.25
_LONGEST_STEP = 30.0
_LONGEST_RETRY_AFTER = 60.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A call without an answer; unless `sent`, the service has seen nothing of it."""

    error: ClientError
    sent: bool


def pause(
    call: Call[Any], outcome: Answer | Failure, *, attempt: int, retries: int
) -> float | None:
    """Seconds to wait before trying again, None to give up; `attempt` counts from 0."""
    if not _may_repeat(call, outcome):
        return None
    asked = outcome.retry_after if isinstance(outcome, Answer) else None
    return back_off(asked, attempt=attempt, retries=retries)


def back_off(asked: float | None, *, attempt: int, retries: int) -> float | None:
    """Seconds to wait before trying again, None to give up; `attempt` counts from 0.

    Exponential back-off with full jitter (Brooker, "Exponential Backoff And Jitter", 2015) on top of the
    seconds that the other side asked for, as with Retry-After.
    """
    if attempt >= retries:
        return None
    step = min(_FIRST_STEP * 2**attempt, _LONGEST_STEP)
    jitter = random.uniform(0, step)  # noqa: S311 - spreads load, guards nothing
    if asked is None:
        return jitter
    return asked + jitter if 0 <= asked <= _LONGEST_RETRY_AFTER else None


def _may_repeat(call: Call[Any], outcome: Answer | Failure) -> bool:
    if call.repeat == "never":
        return False
    if isinstance(outcome, Answer):
        return outcome.status in {429, 503}  # refused before any work was done
    if not outcome.sent:
        return True
    return call.repeat == "always" and not isinstance(outcome.error, TimedOut)
