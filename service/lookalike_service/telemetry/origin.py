"""Where a piece of work came from, for the log lines and spans that are written elsewhere."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

import structlog

from lookalike_service.telemetry import tracing


@dataclass(frozen=True, slots=True)
class Origin:
    """The request that an image came with: a batch holds images of many.

    `request_id`: None outside of requests. `span`: its span's context, None where nothing is traced.
    `since`: seconds of `time.perf_counter`.
    """

    request_id: str | None
    span: tracing.SpanContext | None
    since: float

    @classmethod
    def here(cls) -> Origin:
        """Of what this task or thread is working on."""
        bound = structlog.contextvars.get_contextvars()
        return cls(bound.get("request_id"), tracing.current(), time.perf_counter())


class ContextThreads(ThreadPoolExecutor):
    """Threads in which log lines and spans belong to the request that submitted the work."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """See `ThreadPoolExecutor`."""
        return super().submit(copy_context().run, fn, *args, **kwargs)
