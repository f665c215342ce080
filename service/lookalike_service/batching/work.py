"""For whom a piece of work is done, how urgent it is, and until when anybody wants it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

Priority = Literal["interactive", "bulk"]
"""`interactive`: somebody waits for the answer. `bulk`: it only has to get done."""

PRIORITIES: tuple[Priority, ...] = ("interactive", "bulk")

OWN = "service"
"""The caller of what nobody asked for over HTTP: jobs, the indexer in this process."""


class ClientGone(Exception):
    """Whoever asked has left; nobody will see the answer."""


@dataclass(slots=True, eq=False)
class Work:
    """A request, as far as its turn depends on it.

    `caller`: tells callers apart, between whom turns are shared. `priority`: as the caller asked, else None.
    `deadline`: seconds of `time.monotonic`, after which the answer is of no use. `left`: returns once the
    client is gone; None where there is no client.
    """

    caller: str = OWN
    priority: Priority | None = None
    deadline: float | None = None
    left: Callable[[], Awaitable[None]] | None = None
    gone: bool = False


_current: ContextVar[Work | None] = ContextVar("work", default=None)


def current() -> Work:
    """The work that this task is part of."""
    return _current.get() or Work()


@contextmanager
def working(work: Work) -> Iterator[None]:
    """What happens inside is part of this work."""
    token = _current.set(work)
    try:
        yield
    finally:
        _current.reset(token)
