"""What the blocking and the async client share around a call: how methods look, how jobs are waited for."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from lookalike.errors import JobCancelled, TimedOut, error_for
from lookalike.results import JobStatus

F = TypeVar("F", bound=Callable[..., Any])


def looks_like(build: Callable[..., Any], *, given: int = 0) -> Callable[[F], F]:
    """Give a method the name, docstring and signature of the function that builds its call.

    `given` leading parameters are the method's own business and left out of the signature.
    """
    signature = inspect.signature(build)
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    shown = signature.replace(
        parameters=[own, *list(signature.parameters.values())[given:]],
        return_annotation=re.sub(r"Call\[(.*?)\](?= \||$)", r"\1", signature.return_annotation),
    )

    def decorate(method: F) -> F:
        method.__name__ = method.__qualname__ = build.__name__
        method.__doc__ = build.__doc__
        method.__signature__ = shown  # type: ignore[attr-defined]  # read by inspect and help()
        return method

    return decorate


def poll_delays() -> Iterator[float]:
    """Seconds between looks at a job: from 0.1, by half more each time, up to 2."""
    delay = 0.1
    while True:
        yield delay
        delay = min(delay * 1.5, 2.0)


def outcome(status: JobStatus) -> JobStatus:
    """The status of a finished job that succeeded. Raises the job's error, or JobCancelled."""
    if status.state == "cancelled":
        raise JobCancelled(f"Job {status.id} was cancelled.")
    if status.error is not None:
        raise error_for(status.error.code, status.error.detail)
    if status.state == "failed":
        raise error_for("internal_error", f"Job {status.id} failed and does not say why.")
    return status


def not_finished(status: JobStatus) -> TimedOut:
    """The error of giving up on a job, which goes on without us."""
    return TimedOut(
        f"Job {status.id} is still {status.state} ({status.progress.stage}); "
        "it goes on, and can be waited for again."
    )
