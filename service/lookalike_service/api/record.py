"""What is kept of each request once it is answered: metrics, its span, and a line in the log if it failed."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import structlog
from starlette.types import Scope

from lookalike_service.errors import Internal
from lookalike_service.telemetry import tracing
from lookalike_service.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)
_LOGGED_FROM = 400
_TOO_MANY = 429
"""Counted like successes: a line for each would be most of what it costs to refuse it."""

_QUIET = {"/livez", "/readyz", "/metrics"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request. `failure`: what no handler expected."""

    status: int
    seconds: float
    failure: Exception | None = None


def record(metrics: Metrics, scope: Scope, outcome: Outcome, span: tracing.Span | None) -> None:
    """Count, time and trace a request by its route's template, and log it once if it failed."""
    status, seconds, failure = outcome.status, outcome.seconds, outcome.failure
    route = getattr(scope.get("route"), "path", "unmatched")
    metrics.request(scope["method"], route, status, seconds)
    if span is not None:
        tracing.end_request(span, scope["method"], route, status)
    # Successes are counted, not logged: a line each costs more than routing the request.
    unlogged = status < _LOGGED_FROM or status == _TOO_MANY or route in _QUIET
    if failure is None and unlogged:
        return
    error = scope.get("lookalike.error", Internal if failure else None)
    # What a caller did wrong the caller was told; why the service failed, whoever runs it wants to know.
    why = {"detail": error.detail} if failure is None and error and status >= 500 else {}
    log.log(
        logging.ERROR if failure else _level(status),
        "request failed",
        method=scope["method"],
        path=scope["path"],
        status=status,
        code=error and error.code,
        **why,
        ms=round(seconds * 1000, 1),
        exc_info=failure,
    )


def _level(status: int) -> int:
    if status == 500:
        return logging.ERROR
    return logging.WARNING if status > 500 else logging.INFO
