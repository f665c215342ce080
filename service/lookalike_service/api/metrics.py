"""Prometheus metrics, labelled with route templates so that the series stay few."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_LATENCY = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)


class Metrics:
    """The service's series, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "lookalike_requests",
            "Requests answered.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self.latency = Histogram(
            "lookalike_request_seconds",
            "Time from request to answer.",
            ["method", "route"],
            buckets=_LATENCY,
            registry=self.registry,
        )
        self.errors = Counter(
            "lookalike_errors",
            "Errors answered, whole requests and items.",
            ["code"],
            registry=self.registry,
        )
        self.in_flight = Gauge(
            "lookalike_images_in_flight",
            "Images accepted and not yet answered.",
            registry=self.registry,
        )
        self.batch_size = Histogram(
            "lookalike_batch_size",
            "Images in one pass of the model.",
            buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
            registry=self.registry,
        )
        self.batch_seconds = Histogram(
            "lookalike_batch_seconds",
            "Time of one pass of the model.",
            buckets=_LATENCY,
            registry=self.registry,
        )

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
