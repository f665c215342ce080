"""SIGTERM: load balancers are told, what is under way is answered, and then it ends."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.fakes.jobs import until
from tests.faults.serving import serving
from tests.pictures import jpeg

JPEG = {"content-type": "image/jpeg"}
HEAD = b"POST /v1/embed HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"


def test_while_it_drains_it_serves_but_says_that_it_is_not_ready() -> None:
    with serving(drain_seconds=3600) as service, httpx.Client(base_url=service.url) as http:
        assert http.get("/readyz").status_code == 200
        service.signalled()
        ready = http.get("/readyz")
        assert (ready.status_code, ready.json()["code"]) == (503, "not_ready")
        assert http.get("/livez").status_code == 200
        answer = http.post("/v1/embed", content=jpeg(), headers=JPEG)
        assert answer.status_code == 200
        assert answer.headers["connection"] == "close"


def test_what_is_under_way_is_answered_and_nothing_new_is_accepted() -> None:
    with serving() as service, service.connect() as under_way:
        idle = httpx.Client(base_url=service.url)
        assert idle.get("/livez").status_code == 200
        under_way.sendall(HEAD % len(jpeg()) + jpeg()[:500])
        until(lambda: len(service.server.server_state.tasks) == 1, "its request has begun")
        service.signalled()
        until(lambda: refused(service.url), "no new connection is accepted")
        with pytest.raises(httpx.TransportError):
            idle.get("/livez")
        assert service.thread.is_alive()
        under_way.sendall(jpeg()[500:])
        assert under_way.recv(65_536).startswith(b"HTTP/1.1 200")
        service.thread.join(30)
        assert not service.thread.is_alive()


def refused(url: str) -> bool:
    try:
        httpx.get(f"{url}/livez")
    except httpx.TransportError:
        return True
    return False


def test_a_second_signal_ends_it_at_once() -> None:
    with serving(drain_seconds=3600) as service, service.connect() as under_way:
        under_way.sendall(HEAD % len(jpeg()) + jpeg()[:500])
        until(lambda: len(service.server.server_state.tasks) == 1, "its request has begun")
        service.signalled()
        service.signalled()
        service.thread.join(30)
        assert not service.thread.is_alive()


def test_those_who_watch_a_job_are_sent_to_another_replica() -> None:
    with serving(drain_seconds=3600) as service, httpx.Client(base_url=service.url) as http:
        context: Any = service.app.state.context
        context.jobs.stop()  # so that the job waits for ever
        job = context.jobs.submit("clustering", "c", {})
        with http.stream("GET", f"/v1/jobs/{job.id}/events", timeout=30) as events:
            lines = events.iter_lines()
            assert next(lines) == "event: job"
            service.signalled()
            assert all("succeeded" not in line for line in lines)
