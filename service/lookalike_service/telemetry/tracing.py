"""OpenTelemetry traces, off unless asked for: then a span costs one comparison.

Until `configure` is called nothing of OpenTelemetry is imported here. The exporter's own settings (endpoint,
headers, sampler, service name) are OpenTelemetry's `OTEL_*` variables.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

import structlog

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span, SpanContext, Tracer
else:
    Span = SpanContext = Any

__all__ = [
    "Span",
    "SpanContext",
    "configure",
    "current",
    "enabled",
    "end_request",
    "exporter_installed",
    "request",
    "shut_down",
    "span",
    "use",
]

log = structlog.get_logger(__name__)

_NAME = "lookalike"
_NOTHING: AbstractContextManager[None] = nullcontext()
_tracer: Tracer | None = None
_provider: TracerProvider | None = None


def exporter_installed() -> bool:
    """Whether spans can be sent anywhere: the extra `otel`."""
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        return False


def configure(version: str) -> None:
    """Send spans by OTLP over HTTP from now on; without the extra `otel`, say so and send none."""
    if not exporter_installed():
        log.warning(
            "no traces are sent: pip install 'lookalike[otel]', or set LOOKALIKE_TRACES=false"
        )
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - off: not needed
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    resource = Resource.create({"service.name": _NAME, "service.version": version})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    use(provider)


def use(provider: TracerProvider | None) -> None:
    """Record spans with this provider; None switches tracing off."""
    global _tracer, _provider  # noqa: PLW0603 - as OpenTelemetry has it: one tracer a process
    _provider = provider
    _tracer = None if provider is None else provider.get_tracer(_NAME)


def shut_down() -> None:
    """Send what is left and stop."""
    if _provider is not None:
        _provider.shutdown()
        use(None)


def enabled() -> bool:
    """Whether spans are recorded."""
    return _tracer is not None


def current() -> SpanContext | None:
    """The context of the span that this task or thread is in."""
    if _tracer is None:
        return None
    from opentelemetry.trace import get_current_span  # noqa: PLC0415

    context = get_current_span().get_span_context()
    return context if context.is_valid else None


def span(
    name: str,
    *,
    kind: Literal["internal", "client"] = "internal",
    links: Iterable[SpanContext] = (),
    **attributes: str | float,
) -> AbstractContextManager[Span | None]:
    """A span around what goes on inside, a child of the current one; an exception marks it failed.

    `links`: spans that it serves without being their child, as a batch does for its requests.
    """
    if _tracer is None:
        return _NOTHING
    from opentelemetry.trace import Link, SpanKind  # noqa: PLC0415

    return _tracer.start_as_current_span(
        name,
        kind=SpanKind.CLIENT if kind == "client" else SpanKind.INTERNAL,
        links=[Link(context) for context in {one.span_id: one for one in links}.values()],
        attributes=attributes,
    )


def request(
    method: str, headers: Iterable[tuple[bytes, bytes]]
) -> AbstractContextManager[Span | None]:
    """The span of one HTTP request, a child of the caller's `traceparent` (W3C Trace Context)."""
    if _tracer is None:
        return _NOTHING
    from opentelemetry.trace import SpanKind  # noqa: PLC0415
    from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415
        TraceContextTextMapPropagator,
    )

    parent = TraceContextTextMapPropagator().extract(
        {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
    )
    return _tracer.start_as_current_span(
        method, context=parent, kind=SpanKind.SERVER, attributes={"http.request.method": method}
    )


def end_request(span: Span, method: str, route: str, status: int) -> None:
    """Name a request's span by what is known only now: the route template, and the answer."""
    from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415

    span.update_name(f"{method} {route}")
    span.set_attribute("http.route", route)
    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        span.set_status(Status(StatusCode.ERROR))
