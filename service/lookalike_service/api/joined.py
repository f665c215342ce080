"""One run of something for all who ask for it meanwhile."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

Result = TypeVar("Result")


class Joined(Generic[Result]):
    """Runs what is asked for, or joins the run under way: many callers cost as much as one."""

    def __init__(self) -> None:
        self._run: asyncio.Task[Result] | None = None

    async def result(self, start: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """What the run gives; it goes on when a caller leaves, and is no part of any request."""
        if self._run is None or self._run.done():
            self._run = asyncio.create_task(start(), context=contextvars.Context())
        return await asyncio.shield(self._run)
