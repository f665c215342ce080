"""Rates of requests and images: who is over is told when to come back, others notice nothing."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from lookalike import Lookalike
from lookalike import errors as sdk
from lookalike_service.access.keys import entry, new_key, write_keys
from tests.fakes.encoder import FakeEncoder
from tests.fakes.service import fake_app, fake_server, fake_service
from tests.fakes.store import FakeStore
from tests.pictures import jpeg

BULK, SMALL, ADMIN = new_key(), new_key(), new_key()
KEYS = write_keys([entry(BULK, "read"), entry(SMALL, "read"), entry(ADMIN, "admin")])
SLOW = 0.001
"""So few per second that no test sees a token come back."""


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_a_key_over_its_rate_is_told_when_to_come_back_and_others_are_served() -> None:
    with fake_service(
        api_keys=KEYS, rate_requests=SLOW, cors_origins=("https://a.example",)
    ) as service:
        headers = bearer(BULK) | {"Origin": "https://a.example"}
        assert service.client.get("/v1/info", headers=headers).status_code == 200
        refused = service.client.get("/v1/info", headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        assert int(refused.headers["retry-after"]) > 900
        assert refused.headers["access-control-allow-origin"] == "https://a.example"
        assert service.client.get("/v1/info", headers=bearer(SMALL)).status_code == 200
        for path in ("/livez", "/readyz", "/openapi.json"):
            assert service.client.get(path).status_code == 200


def test_without_keys_each_address_has_a_rate() -> None:
    app = fake_app(FakeEncoder(), FakeStore(), rate_requests=SLOW)
    first = TestClient(app, "http://127.0.0.1", client=("192.0.2.1", 1))
    with first:
        second = TestClient(app, "http://127.0.0.1", client=("192.0.2.2", 1))
        assert [first.get("/v1/info").status_code for _ in range(2)] == [200, 429]
        assert [second.get("/v1/info").status_code for _ in range(2)] == [200, 429]


def test_a_wrong_key_uses_up_nobodys_rate() -> None:
    with fake_service(api_keys=KEYS, rate_requests=SLOW) as service:
        for _ in range(5):
            assert service.client.get("/v1/info", headers=bearer("x")).status_code == 401
        assert service.client.get("/v1/info", headers=bearer(SMALL)).status_code == 200


TEXT = base64.b64encode(jpeg()).decode()
RAW: dict[str, Any] = {"content": jpeg(), "headers": {"content-type": "image/jpeg"}}
SENDING: dict[str, tuple[str, dict[str, Any]]] = {
    "embed one": ("/v1/embed", RAW),
    "embed a form": ("/v1/embed", {"files": [("images", jpeg())]}),
    "embed JSON": ("/v1/embed", {"json": {"images": [{"base64": TEXT}]}}),
    "embed as OpenAI does": ("/v1/embeddings", {"json": {"input": f"data:image/jpeg;base64,{TEXT}"}}),
    "explain one": ("/v1/explain?target=self", RAW),
    "explain a form": ("/v1/explain", {"files": {"image": jpeg(), "reference": jpeg()}}),
    "index one": ("/v1/collections/c/images", RAW),
    "index a form": ("/v1/collections/c/images", {"files": [("images", jpeg())]}),
    "search": ("/v1/collections/c/search", RAW),
    "search by a form": ("/v1/collections/c/search", {"files": {"image": jpeg()}}),
    "assign": ("/v1/collections/c/clusterings/x/assign", RAW),
    "place": ("/v1/collections/c/projections/x/transform", RAW),
}  # fmt: skip


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with fake_service(rate_images=SLOW) as service:
        client, path = service.client, "/v1/collections/c"
        client.put(path, json={})
        client.post(f"{path}/images", files=[("images", jpeg(seed=i)) for i in range(12)])
        for kind, body in [
            ("clusterings", {"name": "x", "algorithm": "kmeans", "parameters": {"k": 2}}),
            ("projections", {"name": "x", "method": "pca"}),
        ]:
            job = client.post(f"{path}/{kind}", json=body).json()["id"]
            with client.stream("GET", f"/v1/jobs/{job}/events") as events:
                events.read()  # they end with the job
        yield service.client


@pytest.mark.parametrize("name", SENDING)
def test_every_way_to_send_an_image_counts(client: TestClient, name: str) -> None:
    path, body = SENDING[name]
    gate = client.app.state.gate  # type: ignore[attr-defined] # it is our FastAPI
    gate.images._full_at.clear()
    first = client.post(path, **body)
    assert first.status_code != 429, first.text
    second = client.post(path, **body)
    assert (second.status_code, second.json()["code"]) == (429, "rate_limited"), second.text


def test_a_large_request_is_served_and_paid_for_later() -> None:
    with fake_service(rate_images=1, rate_burst_seconds=5) as service:
        files = [("images", jpeg(seed=i)) for i in range(100)]
        assert service.client.post("/v1/embed", files=files).status_code == 200
        refused = service.client.post("/v1/embed", **RAW)
        assert refused.status_code == 429
        assert int(refused.headers["retry-after"]) > 90
        assert service.client.get("/v1/info").status_code == 200, "it sends no image"


def called_often(client: Lookalike) -> None:
    for _ in range(9):
        client.info()


def test_the_client_waits_as_long_as_told_and_tries_again() -> None:
    with fake_server(rate_requests=1, rate_burst_seconds=0) as url:
        with Lookalike(url, retries=3) as patient:
            assert [patient.info().version for _ in range(2)]
        with Lookalike(url, retries=0) as hasty, pytest.raises(sdk.RateLimited) as refused:
            called_often(hasty)
        assert refused.value.retry_after == 1
