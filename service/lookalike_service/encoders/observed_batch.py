"""One pass of the model, as it is seen from outside."""

from __future__ import annotations

import time
from collections.abc import Sequence

from lookalike_service.encoders.batch import EncodeItem, Outcome, encode_items
from lookalike_service.telemetry import tracing
from lookalike_service.telemetry.metrics import Metrics


def encode_observed(items: Sequence[EncodeItem], metrics: Metrics) -> list[Outcome]:
    """Encode as `encode_items`; measured, and in a span that is linked to every request it serves."""
    now = time.perf_counter()
    for item in items:
        metrics.waited(now - item.origin.since)
    requests = [item.origin.span for item in items if item.origin.span is not None]
    with metrics.batch(len(items)), tracing.span("batch", links=requests, images=len(items)):
        return encode_items(items)
