"""A store that is watched: each of its calls is counted, timed and traced."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, cast

from lookalike_service.errors import LookalikeError
from lookalike_service.store.protocol import Store
from lookalike_service.telemetry import tracing
from lookalike_service.telemetry.metrics import Metrics

_LASTING = frozenset({"vectors", "loading"})
"""What they return is worked with later; the call itself takes no time."""


def observed(store: Store, metrics: Metrics) -> Store:
    """The same store, whose calls by operation are seen in `metrics` and in traces."""
    return cast("Store", _Observed(store, metrics))


class _Observed:
    def __init__(self, store: Store, metrics: Metrics) -> None:
        self._store, self._metrics = store, metrics

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._store, name)
        if name.startswith("_") or name in _LASTING or not callable(value):
            return value
        return partial(self._call, name, value)

    @staticmethod
    def _span(operation: str) -> AbstractContextManager[Any]:
        """A span within a request or a job; what is asked every few seconds would be traces of its own."""
        inside = tracing.current() is not None
        return tracing.span(f"store {operation}", kind="client") if inside else nullcontext()

    def _call(self, operation: str, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        outcome, start = "failed", time.perf_counter()
        try:
            with self._span(operation):
                result = method(*args, **kwargs)
            outcome = "ok"
            return result
        except LookalikeError as error:
            outcome = "failed" if error.status >= 500 else "refused"
            raise
        finally:
            self._metrics.store_calls.labels(operation, outcome).inc()
            self._metrics.store_seconds.labels(operation).observe(time.perf_counter() - start)
