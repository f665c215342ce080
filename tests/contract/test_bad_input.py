"""Whatever is wrong with a request: a 4xx with its code, and the requests beside it succeed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest

from lookalike_service.errors import all_errors
from tests.fakes.encoder import POISON
from tests.fakes.service import FakeService, fake_service
from tests.pictures import broken, encoded, jpeg, scene

C = "/v1/collections/bad"
JPEG = {"content-type": "image/jpeg"}


@pytest.fixture(scope="module")
def service() -> Iterator[FakeService]:
    with fake_service(max_body_bytes=4_000_000, max_image_bytes=1_000_000, max_images=8) as started:
        assert started.client.put(C, json={}).status_code == 201
        files = [("images", jpeg(seed=i)) for i in range(4)]
        ids = json.dumps(["a", "b", "c", "d"])
        assert started.client.post(f"{C}/images", files=files, data={"ids": ids}).is_success
        yield started


def assert_problem(response: httpx.Response, status: int, code: str) -> None:
    assert response.headers["content-type"] == "application/problem+json", response.text
    body = response.json()
    assert (response.status_code, body["status"], body["code"]) == (status, status, code), body
    assert len(body["detail"]) > 10


@pytest.mark.parametrize("kind", broken())
def test_a_broken_file_alone_is_answered_with_its_error(service: FakeService, kind: str) -> None:
    file = broken()[kind]
    for path in ("/v1/embed", "/v1/explain", f"{C}/images", f"{C}/search"):
        response = service.client.post(path, content=file.data, headers=JPEG)
        assert_problem(response, file.error.status, file.error.code)


@pytest.mark.parametrize("kind", broken())
def test_a_broken_file_does_not_touch_its_batch_mates(service: FakeService, kind: str) -> None:
    file, good = broken()[kind], [jpeg(seed=1), jpeg(seed=2)]
    parts = [("images", data) for data in (good[0], file.data, good[1])]
    items = service.client.post("/v1/embed", files=parts).json()["items"]
    assert items[1]["error"]["code"] == file.error.code
    alone = [
        service.client.post("/v1/embed", files={"images": data}).json()["items"][0] for data in good
    ]
    assert [items[0]["embedding"], items[2]["embedding"]] == [
        pytest.approx(item["embedding"], abs=1e-6) for item in alone
    ]


def test_requests_beside_broken_ones_succeed(service: FakeService) -> None:
    files = [file.data for file in broken().values()] * 2

    def post(data: bytes) -> int:
        return service.client.post("/v1/embed", content=data, headers=JPEG).status_code

    with ThreadPoolExecutor(8) as pool:
        bad = [pool.submit(post, data) for data in files]
        good = [pool.submit(post, jpeg(seed=i)) for i in range(20)]
    assert {future.result() for future in good} == {200}
    assert {future.result() for future in bad} <= {413, 415, 422}


def test_an_image_that_breaks_the_model_fails_alone(service: FakeService) -> None:
    poison = encoded(np.broadcast_to(POISON, (8, 8, 3)).copy(), "png")
    parts = [("images", data) for data in (jpeg(seed=1), poison, jpeg(seed=2))]
    items = service.client.post("/v1/embed", files=parts).json()["items"]
    assert [item.get("error", {}).get("code") for item in items] == [None, "encoder_failed", None]


BIG = encoded(scene(700, 700) // 2 + 1, "bmp")
REQUESTS: dict[str, tuple[int, str, str, str, dict[str, Any]]] = {
    "image over the byte limit": (413, "image_too_large", "POST", "/v1/embed", {"content": BIG, "headers": JPEG}),
    "body over the limit": (413, "body_too_large", "POST", "/v1/embed", {"content": bytes(5_000_000), "headers": JPEG}),
    "body over the limit, in chunks": (413, "body_too_large", "POST", "/v1/embed", {"content": (bytes(1_000_000) for _ in range(5)), "headers": JPEG}),
    "too many images": (413, "too_many_images", "POST", "/v1/embed", {"files": [("images", jpeg())] * 9}),
    "no part": (422, "missing_part", "POST", "/v1/embed", {"files": {"images": ("", b"")} and {}, "data": {"x": "y"}, "headers": {"content-type": "multipart/form-data; boundary=b"}, "content": b"--b--\r\n"}),
    "unknown part": (422, "invalid_field", "POST", "/v1/embed", {"files": {"picture": jpeg()}}),
    "text in a file part": (422, "invalid_field", "POST", "/v1/embed", {"files": {"images": (None, "http://example.test/x.jpg")}}),
    "broken multipart": (400, "invalid_request", "POST", "/v1/embed", {"content": b"nonsense", "headers": {"content-type": "multipart/form-data; boundary=zz"}}),
    "multipart without boundary": (400, "invalid_request", "POST", "/v1/embed", {"content": b"nonsense", "headers": {"content-type": "multipart/form-data"}}),
    "other content type": (415, "unsupported_media_type", "POST", "/v1/embed", {"content": b"x", "headers": {"content-type": "text/plain"}}),
    "no content type": (415, "unsupported_media_type", "POST", "/v1/embed", {"content": b"x"}),
    "broken json": (400, "invalid_request", "POST", "/v1/embed", {"content": b"{", "headers": {"content-type": "application/json"}}),
    "json without images": (422, "missing_part", "POST", "/v1/embed", {"json": {}}),
    "json with an unknown field": (422, "invalid_field", "POST", "/v1/embed", {"json": {"images": [{"base64": ""}], "colour": 1}}),
    "broken base64": (422, "invalid_field", "POST", "/v1/embed", {"json": {"images": [{"base64": "!!"}]}}),
    "unknown model": (404, "unknown_model", "POST", "/v1/embed?model=fake:patchez", {"content": jpeg(), "headers": JPEG}),
    "unknown query parameter": (422, "invalid_field", "POST", "/v1/embed?colour=1", {"content": jpeg(), "headers": JPEG}),
    "unknown explain value": (422, "invalid_field", "POST", "/v1/embed?explain=maybe", {"content": jpeg(), "headers": JPEG}),
    "accept nothing offered": (406, "not_acceptable", "POST", "/v1/embed", {"content": jpeg(), "headers": JPEG | {"accept": "text/csv"}}),
    "npy with a broken image": (422, "empty_image", "POST", "/v1/embed", {"files": [("images", jpeg()), ("images", b"")], "headers": {"accept": "application/x-npy"}}),
    "explain without image": (422, "missing_part", "POST", "/v1/explain", {"files": {"reference": jpeg()}}),
    "similarity without reference": (422, "missing_part", "POST", "/v1/explain?target=similarity", {"files": {"image": jpeg()}}),
    "self with reference": (422, "invalid_field", "POST", "/v1/explain?target=self", {"files": {"image": jpeg(), "reference": jpeg()}}),
    "unknown target": (422, "invalid_field", "POST", "/v1/explain?target=mood", {"files": {"image": jpeg()}}),
    "broken reference": (422, "empty_image", "POST", "/v1/explain", {"files": {"image": jpeg(), "reference": b""}}),
    "unknown path": (404, "not_found", "GET", "/v1/colections", {}),
    "wrong method": (405, "method_not_allowed", "DELETE", "/v1/models", {}),
    "unknown collection": (404, "unknown_collection", "GET", "/v1/collections/bda", {}),
    "images to an unknown collection": (404, "unknown_collection", "POST", "/v1/collections/bda/images", {"content": jpeg(), "headers": JPEG}),
    "search in an unknown collection": (404, "unknown_collection", "POST", "/v1/collections/bda/search", {"json": {"id": "a"}}),
    "drop an unknown collection": (404, "unknown_collection", "DELETE", "/v1/collections/bda", {}),
    "cluster an unknown collection": (404, "unknown_collection", "POST", "/v1/collections/bda/clusterings", {"json": {}}),
    "project an unknown collection": (404, "unknown_collection", "POST", "/v1/collections/bda/projections", {"json": {}}),
    "impossible collection name": (422, "invalid_field", "PUT", "/v1/collections/a%20b", {"json": {}}),
    "collection with an unknown model": (404, "unknown_model", "PUT", "/v1/collections/new", {"json": {"model": "nope"}}),
    "collection with an unknown field": (422, "invalid_field", "PUT", "/v1/collections/new", {"json": {"colour": 1}}),
    "collection with an unknown distance": (422, "invalid_field", "PUT", "/v1/collections/new", {"json": {"distance": "manhattan"}}),
    "index of an unknown type": (422, "invalid_field", "PUT", "/v1/collections/new", {"json": {"indexes": {"metadata.x": "vector"}}}),
    "index outside metadata": (422, "invalid_field", "PUT", "/v1/collections/new", {"json": {"indexes": {"label": "keyword"}}}),
    "too few ids": (422, "invalid_field", "POST", f"{C}/images", {"files": [("images", jpeg())], "data": {"ids": "[]"}}),
    "ids that are no json": (422, "invalid_field", "POST", f"{C}/images", {"files": [("images", jpeg())], "data": {"ids": "a,b"}}),
    "empty id": (422, "invalid_field", "POST", f"{C}/images", {"files": [("images", jpeg())], "data": {"ids": '[""]'}}),
    "metadata that is no object": (422, "invalid_field", "POST", f"{C}/images", {"files": [("images", jpeg())], "data": {"metadata": "[1]"}}),
    "unknown image": (404, "unknown_image", "GET", f"{C}/images/zzz", {}),
    "thumbnail of an unknown image": (404, "unknown_image", "GET", f"{C}/images/zzz/thumbnail", {}),
    "edit an unknown image": (404, "unknown_image", "PATCH", f"{C}/images/zzz", {"json": {"metadata": {}}}),
    "delete an unknown image": (404, "unknown_image", "DELETE", f"{C}/images/zzz", {}),
    "edit with an unknown field": (422, "invalid_field", "PATCH", f"{C}/images/a", {"json": {"metadata": {}, "id": "b"}}),
    "delete by nothing": (422, "invalid_field", "POST", f"{C}/images/delete", {"json": {}}),
    "delete by both": (422, "invalid_field", "POST", f"{C}/images/delete", {"json": {"ids": [], "filter": {}}}),
    "browse with a filter that is no json": (422, "invalid_field", "GET", f"{C}/images?filter=x", {}),
    "browse with an unknown condition": (422, "invalid_filter", "GET", f"{C}/images", {"params": {"filter": '{"perhaps": []}'}}),
    "limit zero": (422, "invalid_field", "GET", f"{C}/images?limit=0", {}),
    "search by an unknown id": (404, "unknown_image", "POST", f"{C}/search", {"json": {"id": "zzz"}}),
    "search by nothing": (422, "invalid_field", "POST", f"{C}/search", {"json": {}}),
    "search by two things": (422, "invalid_field", "POST", f"{C}/search", {"json": {"id": "a", "vector": [1.0]}}),
    "search by a short vector": (422, "wrong_dimension", "POST", f"{C}/search", {"json": {"vector": [1.0, 0.0]}}),
    "search by a zero vector": (422, "invalid_vector", "POST", f"{C}/search", {"json": {"vector": [0.0] * 16}}),
    "search by text in a vector": (422, "invalid_field", "POST", f"{C}/search", {"json": {"vector": ["x"]}}),
    "search with an unknown field": (422, "invalid_field", "POST", f"{C}/search", {"json": {"id": "a", "colour": 1}}),
    "search with an unknown condition": (422, "invalid_filter", "POST", f"{C}/search", {"json": {"id": "a", "filter": {"perhaps": []}}}),
    "search past the limit": (422, "invalid_field", "POST", f"{C}/search", {"json": {"id": "a", "limit": 100_000}}),
    "two query images": (422, "invalid_field", "POST", f"{C}/search", {"files": [("image", jpeg()), ("image", jpeg())]}),
    "unknown algorithm": (422, "invalid_parameters", "POST", f"{C}/clusterings", {"json": {"algorithm": "tea-leaves"}}),
    "unknown parameter": (422, "invalid_parameters", "POST", f"{C}/clusterings", {"json": {"algorithm": "kmeans", "parameters": {"q": 1}}}),
    "parameter out of range": (422, "invalid_parameters", "POST", f"{C}/clusterings", {"json": {"algorithm": "kmeans", "parameters": {"k": 0}}}),
    "unknown reduction": (422, "invalid_parameters", "POST", f"{C}/clusterings", {"json": {"reduction": "fold"}}),
    "clustering with an unknown field": (422, "invalid_field", "POST", f"{C}/clusterings", {"json": {"k": 3}}),
    "unknown clustering": (404, "unknown_clustering", "GET", f"{C}/clusterings/zzz", {}),
    "drop an unknown clustering": (404, "unknown_clustering", "DELETE", f"{C}/clusterings/zzz", {}),
    "unknown method": (422, "invalid_parameters", "POST", f"{C}/projections", {"json": {"method": "tea-leaves"}}),
    "four dimensions": (422, "invalid_field", "POST", f"{C}/projections", {"json": {"dimensions": 4}}),
    "unknown projection": (404, "unknown_projection", "GET", f"{C}/projections/zzz", {}),
    "unknown job": (404, "unknown_job", "GET", "/v1/jobs/zzz", {}),
    "cancel an unknown job": (404, "unknown_job", "DELETE", "/v1/jobs/zzz", {}),
    "events of an unknown job": (404, "unknown_job", "GET", "/v1/jobs/zzz/events", {}),
}  # fmt: skip


@pytest.mark.parametrize("name", REQUESTS)
def test_a_wrong_request_is_answered_with_its_code(service: FakeService, name: str) -> None:
    status, code, method, path, body = REQUESTS[name]
    assert_problem(service.client.request(method, path, **body), status, code)
    beside = service.client.post("/v1/embed", content=jpeg(), headers=JPEG)
    assert beside.status_code == 200


def test_a_collection_cannot_change_its_space(service: FakeService) -> None:
    from dataclasses import replace

    found = service.store.collection("bad")
    other = replace(found, name="other", space=replace(found.space, weights="1" * 64))
    service.store.create_collection(other)
    for path in ("images", "search"):
        response = service.client.post(
            f"/v1/collections/other/{path}", content=jpeg(), headers=JPEG
        )
        assert_problem(response, 409, "space_mismatch")
    assert_problem(service.client.put("/v1/collections/other", json={}), 409, "collection_exists")


def test_a_full_queue_is_answered_at_once_with_retry_after() -> None:
    with fake_service(max_queue=1, max_images=8) as service:
        started = service.client.app.state.context.embedder  # type: ignore[attr-defined]
        started._in_flight = 1
        response = service.client.post("/v1/embed", content=jpeg(), headers=JPEG)
        assert_problem(response, 429, "overloaded")
        assert int(response.headers["retry-after"]) >= 1
        started._in_flight = 0
        assert service.client.post("/v1/embed", content=jpeg(), headers=JPEG).status_code == 200


def test_every_error_has_a_code_of_its_own() -> None:
    classes = [c for c in all_errors() if not c.__subclasses__()]
    assert len({c.code for c in classes}) == len(classes)
