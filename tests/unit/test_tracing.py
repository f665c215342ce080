"""Spans from a request to its batch and to the store, seen through OpenTelemetry's own in-memory exporter."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler

import httpx
import numpy as np
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from lookalike import Lookalike
from lookalike_service.encoders.batch import EncodeItem
from lookalike_service.encoders.observed_batch import encode_observed
from lookalike_service.settings import Settings
from lookalike_service.store.observed import observed
from lookalike_service.telemetry import tracing
from lookalike_service.telemetry.metrics import Metrics
from tests.fakes.encoder import SIZE, FakeEncoder
from tests.fakes.loopback import listening
from tests.fakes.service import fake_service
from tests.fakes.store import FakeStore
from tests.pictures import jpeg

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
JPEG = {"content-type": "image/jpeg"}
Spans = Callable[[], Sequence[ReadableSpan]]


@pytest.fixture
def spans() -> Iterator[Spans]:
    """What was recorded so far."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.use(provider)
    yield exporter.get_finished_spans
    tracing.use(None)


def ids(span: ReadableSpan) -> tuple[str, str, str | None]:
    """Trace, span, and the parent's span."""
    context = span.get_span_context()
    assert context is not None
    parent = None if span.parent is None else f"{span.parent.span_id:016x}"
    return f"{context.trace_id:032x}", f"{context.span_id:016x}", parent


def test_a_request_goes_on_the_callers_trace_and_its_stages_are_its_children(spans: Spans) -> None:
    with fake_service() as service:
        headers = {**JPEG, "traceparent": f"00-{TRACE}-{PARENT}-01"}
        service.client.put("/v1/collections/c", json={})
        path = "/v1/collections/c/images"
        service.client.post(path, content=jpeg(), headers=headers).raise_for_status()
    mine = {span.name: span for span in spans() if ids(span)[0] == TRACE}
    request = mine["POST /v1/collections/{collection}/images"]
    assert ids(request)[2] == PARENT
    assert request.attributes is not None
    assert request.attributes["http.response.status_code"] == 200
    for child in ("read", "decode", "store upsert"):
        assert ids(mine[child])[2] == ids(request)[1], child


def test_a_batch_is_linked_to_the_requests_that_it_serves(spans: Spans) -> None:
    encoder, requests, items = FakeEncoder(), [], []
    for _ in range(3):
        with tracing.request("POST", []) as request:
            assert request is not None
            requests.append(request.get_span_context())
            items += [EncodeItem(encoder, np.zeros((SIZE, SIZE, 3), np.uint8)) for _ in range(2)]
    encode_observed(items, Metrics())
    (batch,) = (span for span in spans() if span.name == "batch")
    assert [link.context for link in batch.links] == requests
    assert batch.attributes == {"images": 6}


async def test_the_span_of_an_image_is_its_own_requests(spans: Spans) -> None:
    encoder = FakeEncoder()

    async def one() -> bool:
        with tracing.request("POST", []) as request:
            assert request is not None
            await asyncio.sleep(0)
            item = EncodeItem(encoder, np.zeros((SIZE, SIZE, 3), np.uint8))
            return item.origin.span == request.get_span_context()

    assert await asyncio.gather(*(one() for _ in range(8))) == [True] * 8


def test_a_call_of_the_store_is_no_trace_of_its_own(spans: Spans) -> None:
    """The queue of jobs is looked at every few seconds, whether anything happens or not."""
    store = observed(FakeStore(), Metrics())
    store.collections()
    assert spans() == ()
    with tracing.span("job clustering"):
        store.collections()
    assert [span.name for span in spans()] == ["store collections", "job clustering"]


def test_a_request_that_fails_is_marked(spans: Spans) -> None:
    with fake_service() as service, pytest.MonkeyPatch.context() as patch:
        patch.setattr(service.store, "collections", lambda: 1 / 0)
        assert service.client.get("/v1/collections").status_code == 500
    found = {span.name: span for span in spans()}
    assert found["GET /v1/collections"].status.status_code is trace.StatusCode.ERROR
    assert found["store collections"].events[0].name == "exception"


def test_nothing_is_recorded_while_tracing_is_off() -> None:
    assert not tracing.enabled()
    assert tracing.span("a") is tracing.span("b")
    assert tracing.current() is None
    with tracing.request("GET", []) as request:
        assert request is None


def test_the_client_passes_the_callers_trace_on() -> None:
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers.get("traceparent"))
        return httpx.Response(200, json={"collections": []})

    tracer = TracerProvider().get_tracer("caller")
    with Lookalike(transport=httpx.MockTransport(answer)) as client:
        with tracer.start_as_current_span("caller") as span:
            client.collections()
        client.collections()
    context = span.get_span_context()
    assert seen[0].startswith(f"00-{context.trace_id:032x}-{context.span_id:016x}-")
    assert seen[1] is None


def test_spans_are_sent_to_the_collector_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    received = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            received.append((self.path, ExportTraceServiceRequest.FromString(body)))
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with listening(Collector) as url:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        assert Settings().traces
        tracing.configure("1.2.3")
        with tracing.request("GET", []):
            pass
        tracing.shut_down()
    ((path, message),) = received
    assert path == "/v1/traces"
    (resource,) = message.resource_spans
    about = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert (about["service.name"], about["service.version"]) == ("lookalike", "1.2.3")
    assert [span.name for span in resource.scope_spans[0].spans] == ["GET"]
    assert not tracing.enabled()


def test_without_the_exporter_the_service_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from structlog.testing import capture_logs

    monkeypatch.setattr(tracing, "exporter_installed", lambda: False)
    with capture_logs() as logs:
        tracing.configure("1")
    assert "lookalike[otel]" in logs[0]["event"]
    assert not tracing.enabled()
