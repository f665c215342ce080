"""Prometheus metrics. Every label has few values: route templates, codes, kinds, never what callers send.

What is a state rather than an event (queue, memory, loaded encoders) is read when it is scraped:
`api/collected.py`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from lookalike_service.telemetry import tracing

Stage = Literal["read", "decode", "wait", "explain"]
"""Of a request (`read` its body, `explain` its images) or of an image (`decode`, `wait` for its batch)."""

# Else each would have a second series that nobody reads.
disable_created_metrics()  # type: ignore[no-untyped-call] # it lacks annotations

_LATENCY = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_SHORT = (0.0005, *_LATENCY)
_LONG = (0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600, 14400)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@contextmanager
def _both(
    outer: AbstractContextManager[object], inner: AbstractContextManager[object]
) -> Iterator[None]:
    with outer, inner:
        yield


class Metrics:
    """The service's series, in a registry of their own. Thread-safe.

    One that nobody scrapes is the way to measure nothing.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._define_requests()
        self._define_images()
        self._define_parts()
        self._begin_at_zero()

    def _define_requests(self) -> None:
        self.requests = self._counter(
            "lookalike_requests", "Requests answered.", "method", "route", "status"
        )
        self.latency = self._histogram(
            "lookalike_request_seconds",
            "Time from request to answer.",
            "method",
            "route",
            buckets=_LATENCY,
        )
        self._answered: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self.errors = self._counter(
            "lookalike_errors", "Errors answered, whole requests and items.", "code"
        )
        self.dropped = self._counter(
            "lookalike_dropped", "Images accepted and then not embedded, and why.", "reason"
        )
        self.refused = self._counter(
            "lookalike_refused", "Requests refused as too many, and by which bound.", "reason"
        )
        self.queue_wait = self._histogram(
            "lookalike_queue_wait_seconds",
            "Time that an accepted image waited for its turn.",
            "priority",
            buckets=_SHORT,
        )
        self.ready = Gauge(
            "lookalike_ready",
            "1 if the last readiness check succeeded: a canary was embedded and the store answered.",
            registry=self.registry,
        )

    def _define_images(self) -> None:
        self.batch_size = self._histogram(
            "lookalike_batch_size",
            "Images in one pass of the model.",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
        )
        self.batch_seconds = self._histogram(
            "lookalike_batch_seconds", "Time of one pass of the model.", buckets=_LATENCY
        )
        stages = self._histogram(
            "lookalike_stage_seconds",
            "Time of a stage: read and explain of a request, decode and wait of an image.",
            "stage",
            buckets=_SHORT,
        )
        names: tuple[Stage, ...] = ("read", "decode", "wait", "explain")
        self._stages = {name: stages.labels(name) for name in names}

    def _define_parts(self) -> None:
        self.encoder_loads = self._counter(
            "lookalike_encoder_loads", "Encoders loaded, or failed to.", "outcome"
        )
        self.encoder_load_seconds = self._histogram(
            "lookalike_encoder_load_seconds", "Time to load an encoder.", buckets=_LONG
        )
        self.encoder_unloads = self._counter(
            "lookalike_encoder_unloads", "Encoders unloaded, and why.", "reason"
        )
        self.store_calls = self._counter(
            "lookalike_store_calls",
            "Calls of the store: ok, refused (the caller's fault) or failed.",
            "operation",
            "outcome",
        )
        self.store_seconds = self._histogram(
            "lookalike_store_call_seconds",
            "Time of a call of the store.",
            "operation",
            buckets=_SHORT,
        )
        self.jobs_ended = self._counter(
            "lookalike_jobs_ended", "Jobs that this process ended.", "kind", "state"
        )
        self.jobs = Gauge(
            "lookalike_jobs", "Jobs that wait or run.", ["state"], registry=self.registry
        )
        self.job_oldest_queued = Gauge(
            "lookalike_job_oldest_queued_seconds",
            "How long the longest waiting job has waited.",
            registry=self.registry,
        )
        self.job_seconds = self._histogram(
            "lookalike_job_seconds", "Time that a job ran.", "kind", buckets=_LONG
        )

    def _begin_at_zero(self) -> None:
        """Or the first event of a kind would make a series, which is no increase to Prometheus."""
        for counter, values in (
            (self.dropped, ("client_gone", "deadline")),
            (self.refused, ("bodies", "images", "pixels", "wait")),
            (self.encoder_loads, ("failed", "ok")),
            (self.encoder_unloads, ("budget", "idle")),
        ):
            for value in values:
                counter.labels(value)

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(name, what, labels, registry=self.registry)

    def _histogram(
        self, name: str, what: str, *labels: str, buckets: tuple[float, ...]
    ) -> Histogram:
        return Histogram(name, what, labels, buckets=buckets, registry=self.registry)

    def request(self, method: str, route: str, status: int, seconds: float | None) -> None:
        """Record an answered request; `route` is the template that its path matched.

        `seconds`: how long it took; None for one that was refused before anything could be timed.
        """
        method = method if method in _METHODS else "other"  # or callers could make series
        key = method, route, status
        known = self._answered.get(key)
        if known is None:  # looking them up by their labels takes longer than counting
            known = self.requests.labels(*key), self.latency.labels(method, route)
            self._answered[key] = known
        counter, histogram = known
        counter.inc()
        if seconds is not None:
            histogram.observe(seconds)

    def stage(self, name: Stage) -> AbstractContextManager[object]:
        """Record the time of what goes on inside, and a span where that is asked for."""
        timer = self._stages[name].time()
        return _both(tracing.span(name), timer) if tracing.enabled() else timer

    def waited(self, seconds: float) -> None:
        """Record how long an image waited for its batch to begin."""
        self._stages["wait"].observe(seconds)

    @contextmanager
    def batch(self, size: int) -> Iterator[None]:
        """Record one pass of the model."""
        self.batch_size.observe(size)
        start = time.perf_counter()
        try:
            yield
        finally:
            self.batch_seconds.observe(time.perf_counter() - start)

    def render(self) -> bytes:
        """The text exposition of all series."""
        return generate_latest(self.registry)
