"""What /metrics tells of a running service, and what callers cannot do to it."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.testing import capture_logs

from lookalike_service import __version__
from lookalike_service.api.admission import Admission
from lookalike_service.api.collected import Collected
from lookalike_service.api.entrance import Entrance
from lookalike_service.api.reception import Bodies
from lookalike_service.api.security import Gate
from lookalike_service.api.watching import look
from lookalike_service.encoders.served import ServedEncoders
from lookalike_service.errors import StoreUnavailable, UnknownCollection, WeightsMissing
from lookalike_service.jobs.runner import JobRunner
from lookalike_service.settings import Settings
from lookalike_service.store.observed import observed
from lookalike_service.telemetry.metrics import Metrics
from tests.fakes.encoder import FakeEncoder
from tests.fakes.jobs import finished
from tests.fakes.metrics import Scrape, scrape
from tests.fakes.service import FakeService, fake_service
from tests.fakes.store import FakeStore
from tests.pictures import broken, jpeg

JPEG = {"content-type": "image/jpeg"}
A, B = "pixels:8x8-grey", "pixels:16x16-grey"


@pytest.fixture(scope="module")
def service() -> Iterator[FakeService]:
    with fake_service() as started:
        yield started


def read(metrics: Metrics) -> Scrape:
    return Scrape(metrics.render().decode())


def test_a_request_is_counted_and_timed_by_its_route_template(service: FakeService) -> None:
    route = {"method": "GET", "route": "/v1/collections/{collection}"}
    before = scrape(service.client)
    service.client.get("/v1/collections/nowhere")
    after = scrape(service.client)
    for name, labels in (
        ("lookalike_requests_total", {**route, "status": "404"}),
        ("lookalike_request_seconds_count", route),
        ("lookalike_errors_total", {"code": "unknown_collection"}),
    ):
        assert after.value(name, **labels) - before.value(name, **labels) == 1, name


def test_each_stage_of_an_image_is_timed(service: FakeService) -> None:
    before = scrape(service.client)
    files = [("images", ("1", jpeg())), ("images", ("2", jpeg(seed=2)))]
    service.client.post("/v1/embed?explain=self", files=files).raise_for_status()
    after = scrape(service.client)
    counted = {
        stage: after.value("lookalike_stage_seconds_count", stage=stage)
        - before.value("lookalike_stage_seconds_count", stage=stage)
        for stage in ("read", "decode", "explain")
    }
    assert counted == {"read": 1, "decode": 2, "explain": 1}


def test_an_item_that_fails_in_a_batch_is_counted_by_its_code(service: FakeService) -> None:
    before = scrape(service.client).value("lookalike_errors_total", code="truncated_image")
    files = [("images", ("1", jpeg())), ("images", ("2", broken()["truncated jpeg"].data))]
    service.client.post("/v1/embed", files=files).raise_for_status()
    assert (
        scrape(service.client).value("lookalike_errors_total", code="truncated_image") == before + 1
    )


def test_the_version_the_limits_and_the_process_are_told(service: FakeService) -> None:
    found = scrape(service.client)
    python = ".".join(map(str, sys.version_info[:3]))
    assert found.value("lookalike_build_info", version=__version__, python=python) == 1
    assert found.value("lookalike_queue_images_limit") == Settings().max_queue
    assert found.value("lookalike_queue_images") == 0
    assert found.value("lookalike_process_threads") > 1
    assert found.value("process_resident_memory_bytes") > 2**20
    assert found.value("process_open_fds") > 3


def test_readiness_is_a_gauge_that_follows_the_store(service: FakeService) -> None:
    service.client.get("/readyz").raise_for_status()
    assert scrape(service.client).value("lookalike_ready") == 1
    with pytest.MonkeyPatch.context() as patch:

        def away() -> None:
            raise StoreUnavailable("the store is away")

        patch.setattr(service.store, "check", away)
        assert service.client.get("/readyz").status_code == 503
        assert scrape(service.client).value("lookalike_ready") == 0
    service.client.get("/readyz").raise_for_status()
    assert scrape(service.client).value("lookalike_ready") == 1


def test_that_the_service_is_not_ready_and_why_is_logged_once_and_that_it_is_again(
    service: FakeService,
) -> None:
    with pytest.MonkeyPatch.context() as patch, capture_logs() as logs:

        def away() -> None:
            raise StoreUnavailable("the store is away")

        patch.setattr(service.store, "check", away)
        assert [service.client.get("/readyz").status_code for _ in range(3)] == [503] * 3
        patch.undo()
        service.client.get("/readyz").raise_for_status()
    told = [(line["event"], line.get("store")) for line in logs if "ready" in line["event"]]
    assert told == [("not ready", "the store is away"), ("ready again", None)]


def test_a_request_that_the_store_fails_is_logged_with_the_reason(service: FakeService) -> None:
    with pytest.MonkeyPatch.context() as patch, capture_logs() as logs:

        def away() -> None:
            raise StoreUnavailable("the store is away")

        patch.setattr(service.store, "collections", away)
        assert service.client.get("/v1/collections").status_code == 503
    (line,) = [line for line in logs if line["event"] == "request failed"]
    assert (line["code"], line["detail"]) == ("store_unavailable", "the store is away")


async def test_readiness_and_waiting_jobs_are_looked_at_without_being_asked_for() -> None:
    with fake_service() as service:
        context = service.client.app.state.context  # type: ignore[attr-defined] # a FastAPI
        context.jobs.stop()
        context.jobs.submit("calibration", "pictures", {})
        await look(context)
        found = scrape(service.client)
    assert found.value("lookalike_ready") == 1
    assert found.value("lookalike_jobs", state="queued") == 1
    assert found.value("lookalike_jobs", state="running") == 0
    assert 0 <= found.value("lookalike_job_oldest_queued_seconds") < 60


async def entered(app: ASGIApp, metrics: Metrics, send: Send) -> None:
    """Send one request through the entrance to an app."""

    async def receive() -> Message:
        return {"type": "http.request"}

    settings = Settings()
    bodies = Bodies(settings, metrics)
    admission = Admission(Gate(None, settings), bodies, settings)
    scope: Scope = {"type": "http", "method": "GET", "path": "/x", "headers": [], "app": None}
    await Entrance(app, admission=admission, bodies=bodies, metrics=metrics)(scope, receive, send)


async def test_a_request_that_breaks_after_its_answer_began_is_an_error_too() -> None:
    async def breaks(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ZeroDivisionError

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    metrics = Metrics()
    with capture_logs() as logs:
        await entered(breaks, metrics, send)
    assert [message["type"] for message in sent] == ["http.response.start"]
    assert [line["log_level"] for line in logs] == ["error"]
    assert read(metrics).value("lookalike_errors_total", code="internal_error") == 1


async def test_a_request_that_is_cut_off_is_recorded() -> None:
    async def hangs(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.Event().wait()

    async def send(message: Message) -> None:
        raise AssertionError(message)

    metrics = Metrics()
    task = asyncio.ensure_future(entered(hangs, metrics, send))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    name = "lookalike_requests_total"
    assert read(metrics).value(name, method="GET", route="unmatched", status="500") == 1


def test_no_caller_can_make_series(service: FakeService) -> None:
    def hammer(wave: int) -> None:
        for i in range(12):
            name = f"{wave}-{i}"
            http = service.client
            http.request(f"VERB{name}", "/v1/info")
            http.get(f"/{name}/unknown", headers={"x-request-id": name})
            http.get(f"/v1/collections/{name}")
            http.put(f"/v1/collections/c{name}", json={})
            http.post(f"/v1/collections/c{name}/images", content=jpeg(seed=i), headers=JPEG)
            http.get(f"/v1/collections/c{name}/images/{name}?filter={name}")
            http.get(f"/v1/collections/c{name}/clusterings/{name}")
            http.get(f"/v1/jobs/{name}")
            http.post(f"/v1/embed?model={name}", content=jpeg(), headers=JPEG)
            http.post("/v1/embed", content=name.encode(), headers={"content-type": f"x/{name}"})
            http.post(f"/v1/collections/c{name}/search", json={"id": name, name: name})

    scrape(service.client)  # which is a request too
    hammer(1)
    first = scrape(service.client).samples.keys()
    hammer(2)
    assert scrape(service.client).samples.keys() == first
    told = json.dumps([sorted(labels) for _, labels in first])
    assert "other" in told
    assert "1-1" not in told


def test_the_store_is_counted_and_timed_by_operation_and_outcome() -> None:
    class Away(FakeStore):
        def check(self) -> None:
            raise StoreUnavailable("away")

    metrics = Metrics()
    store = observed(Away(), metrics)
    assert store.collections() == []
    with pytest.raises(UnknownCollection):
        store.collection("nowhere")
    with pytest.raises(StoreUnavailable):
        store.check()
    found = read(metrics)
    for operation, outcome in (
        ("collections", "ok"),
        ("collection", "refused"),
        ("check", "failed"),
    ):
        calls = found.value("lookalike_store_calls_total", operation=operation, outcome=outcome)
        timed = found.value("lookalike_store_call_seconds_count", operation=operation)
        assert (calls, timed) == (1, 1), operation
    assert store.kind == "embedded"


def test_loading_and_unloading_encoders_is_counted() -> None:
    metrics, now = Metrics(), [0.0]

    def load(spec: str) -> FakeEncoder:
        if spec == "pixels:4x4-grey":
            raise WeightsMissing("gone")
        return FakeEncoder(spec)

    encoders = ServedEncoders(
        (A, B, "pixels:4x4-grey"),
        load,
        budget_bytes=2**30,
        idle_seconds=60,
        clock=lambda: now[0],
        metrics=metrics,
    )
    encoders.get(A)
    encoders.get(B)
    with pytest.raises(WeightsMissing):
        encoders.get("pixels:4x4-grey")
    now[0] = 100
    encoders.unload_idle()
    found = read(metrics)
    assert found.value("lookalike_encoder_loads_total", outcome="ok") == 2
    assert found.value("lookalike_encoder_loads_total", outcome="failed") == 1
    assert found.value("lookalike_encoder_unloads_total", reason="idle") == 1
    assert found.value("lookalike_encoder_load_seconds_count") == 3
    assert set(encoders.in_memory()) == {A}


def test_encoders_that_users_train_are_told_together() -> None:
    metrics = Metrics()
    encoders = ServedEncoders(
        (A,),
        FakeEncoder,
        budget_bytes=2**30,
        idle_seconds=60,
        discover=lambda: ["pixels:5x5-grey", "pixels:6x6-grey"],
    )
    for spec in (A, "pixels:5x5-grey", "pixels:6x6-grey"):
        encoders.get(spec)
    metrics.registry.register(Collected(_context(encoders)))
    found = read(metrics)
    assert found.value("lookalike_encoders_loaded", model=A) == 1
    assert found.value("lookalike_encoders_loaded", model="trained") == 2
    assert len(found.families["lookalike_encoders_loaded"].samples) == 2


def test_a_job_is_counted_and_timed_by_kind_and_end() -> None:
    metrics = Metrics()

    def workflow(task: Any) -> dict[str, Any]:
        if task.parameters["fails"]:
            raise UnknownCollection("nowhere")
        return {}

    jobs = JobRunner(FakeStore(), {"clustering": workflow}, Settings(), metrics)
    jobs.start()
    for fails in (False, False, True):
        finished(jobs, jobs.submit("clustering", "pictures", {"fails": fails}).id)
    jobs.stop()
    found = read(metrics)
    for state, count in (("succeeded", 2), ("failed", 1)):
        name = "lookalike_jobs_ended_total"
        assert found.value(name, kind="clustering", state=state) == count
    assert found.value("lookalike_job_seconds_count", kind="clustering") == 3


def test_the_first_event_of_a_kind_is_an_increase() -> None:
    metrics = Metrics()
    JobRunner(FakeStore(), {"clustering": lambda _: {}}, Settings(), metrics)
    failed = frozenset({("kind", "clustering"), ("state", "failed")})
    samples = read(metrics).samples
    assert samples["lookalike_jobs_ended_total", failed] == 0
    assert samples["lookalike_encoder_loads_total", frozenset({("outcome", "failed")})] == 0


def test_what_is_remembered_for_explanations_is_a_cache_with_hits_and_misses() -> None:
    with fake_service() as service:
        seen = service.client.app.state.context.seen  # type: ignore[attr-defined] # a FastAPI
        assert seen.get("space", "0" * 64) is None
        service.client.post("/v1/embed?explain=self", content=jpeg(), headers=JPEG)
        found = scrape(service.client)
    assert found.value("lookalike_cache_lookups_total", cache="explained", outcome="miss") == 1
    assert found.value("lookalike_cache_bytes", cache="explained") == seen.size > 0


def test_the_memory_of_a_gpu_is_told_once_one_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = SimpleNamespace(
        is_initialized=lambda: True,
        device_count=lambda: 1,
        mem_get_info={0: (3, 8)}.__getitem__,
        memory_reserved={0: 4}.__getitem__,
    )
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    metrics = Metrics()
    encoders = ServedEncoders((A,), FakeEncoder, budget_bytes=1, idle_seconds=1)
    metrics.registry.register(Collected(_context(encoders)))
    found = read(metrics)
    told = {
        kind: found.value("lookalike_gpu_memory_bytes", device="0", kind=kind)
        for kind in ("total", "free", "reserved")
    }
    assert told == {"total": 8, "free": 3, "reserved": 4}


def _context(encoders: ServedEncoders) -> Any:
    """As much of a context as is collected from."""
    from lookalike_service.workflows.seen import SeenCache

    embedder = SimpleNamespace(
        in_flight=0,
        pixels_in_flight=0,
        capacity=1,
        pixel_capacity=1,
        waiting={"interactive": 0, "bulk": 0},
    )
    return SimpleNamespace(
        embedder=embedder, settings=Settings(), encoders=encoders, seen=SeenCache()
    )
