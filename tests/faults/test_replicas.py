"""Two replicas on one Qdrant server: what was done through one is seen through the other at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from lookalike_service.jobs import runner
from lookalike_service.store.server import ServerStore, connect
from tests.fakes.jobs import until
from tests.fakes.qdrant import QdrantFake
from tests.faults.serving import serving
from tests.pictures import jpeg

C = "/v1/collections/c"
Replicas = tuple[httpx.Client, httpx.Client]


@pytest.fixture
def replicas(monkeypatch: pytest.MonkeyPatch) -> Iterator[Replicas]:
    monkeypatch.setattr(runner, "_IDLE_SECONDS", 0.05)
    with ExitStack() as stack:
        url = stack.enter_context(QdrantFake().listen())
        services = [
            stack.enter_context(serving(store=ServerStore(connect(url, None)))) for _ in range(2)
        ]
        a, b = (stack.enter_context(httpx.Client(base_url=s.url, timeout=60)) for s in services)
        yield a, b


def test_collections_images_and_jobs_are_everyones(replicas: Replicas) -> None:
    a, b = replicas
    assert a.put(C, json={}).status_code == 201
    assert b.put(C, json={}).status_code == 200
    files = [("images", jpeg(seed=i)) for i in range(6)]
    ids = json.dumps([f"i{i}" for i in range(6)])
    assert a.post(f"{C}/images", files=files, data={"ids": ids}).is_success
    assert b.get(C).json()["points"] == 6
    assert b.get(f"{C}/images/i0/thumbnail").content == a.get(f"{C}/images/i0/thumbnail").content
    hits = [http.post(f"{C}/search", json={"id": "i0"}).json()["hits"] for http in replicas]
    assert hits[0] == hits[1]
    assert len(hits[0]) == 5
    assert b.patch(f"{C}/images/i1", json={"metadata": {"by": "b"}}).is_success
    assert a.get(f"{C}/images/i1").json()["metadata"] == {"by": "b"}

    body = {"name": "two", "algorithm": "kmeans", "parameters": {"k": 2}}
    job = a.post(f"{C}/clusterings", json=body).json()["id"]
    until(lambda: b.get(f"/v1/jobs/{job}").json()["state"] == "succeeded", "the job is done")
    assert a.get(f"/v1/jobs/{job}").json() == b.get(f"/v1/jobs/{job}").json()
    assert a.get(f"{C}/clusterings/two").json() == b.get(f"{C}/clusterings/two").json()
    labels = [http.get(f"{C}/images/i0").json()["clusters"] for http in replicas]
    assert labels[0] == labels[1]
    assert set(labels[0]) == {"two"}

    assert b.delete(C).is_success
    assert a.get(C).status_code == a.get(f"{C}/clusterings/two").status_code == 404
