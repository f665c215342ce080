"""Whatever is wrong with a request: a 4xx with its code, and the requests beside it succeed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

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


def assert_problem(response: Any, status: int, code: str) -> None:
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


BIG = encoded(scene(700, 700), "bmp")
EMBED, EXPLAIN, INDEX, SEARCH = "/v1/embed", "/v1/explain", f"{C}/images", f"{C}/search"
CLUSTER, PROJECT, GONE = f"{C}/clusterings", f"{C}/projections", "/v1/collections/bda"


def raw(data: bytes, kind: str = "image/jpeg", **headers: str) -> dict[str, Any]:
    return {"content": data, "headers": {"content-type": kind} | headers}


def parts(*files: tuple[str, bytes], **fields: str) -> dict[str, Any]:
    return {"files": list(files), "data": fields}


def nested(levels: int) -> dict[str, Any]:
    """Metadata of so many levels."""
    inner: list[Any] = []
    for _ in range(levels - 2):
        inner = [inner]
    return {"a": inner}


IMAGE, NOTHING = raw(jpeg()), dict[str, Any]()
# code, method, path, body; the status is the code's.
REQUESTS: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "image over the byte limit": ("image_too_large", "POST", EMBED, raw(BIG)),
    "body over the limit": ("body_too_large", "POST", EMBED, raw(bytes(5_000_000))),
    "too many images": ("too_many_images", "POST", EMBED, parts(*[("images", jpeg())] * 9)),
    "no part": (
        "missing_part",
        "POST",
        EMBED,
        raw(b"--b--\r\n", "multipart/form-data; boundary=b"),
    ),
    "unknown part": ("invalid_field", "POST", EMBED, parts(("picture", jpeg()))),
    "text for a file": ("invalid_field", "POST", EMBED, {"files": {"images": (None, "x.jpg")}}),
    "broken multipart": (
        "invalid_request",
        "POST",
        EMBED,
        raw(b"nonsense", "multipart/form-data; boundary=b"),
    ),
    "no boundary": ("invalid_request", "POST", EMBED, raw(b"nonsense", "multipart/form-data")),
    "other content type": ("unsupported_media_type", "POST", EMBED, raw(b"x", "text/plain")),
    "no content type": ("unsupported_media_type", "POST", EMBED, {"content": b"x"}),
    "broken json": ("invalid_request", "POST", EMBED, raw(b"{", "application/json")),
    "json without images": ("missing_part", "POST", EMBED, {"json": {}}),
    "json, unknown field": ("invalid_field", "POST", EMBED, {"json": {"images": [], "hue": 1}}),
    "broken base64": ("invalid_field", "POST", EMBED, {"json": {"images": [{"base64": "!!"}]}}),
    "unknown model": ("unknown_model", "POST", f"{EMBED}?model=timm:fake_patchez", IMAGE),
    "unknown query parameter": ("invalid_field", "POST", f"{EMBED}?hue=1", IMAGE),
    "unknown explain value": ("invalid_field", "POST", f"{EMBED}?explain=maybe", IMAGE),
    "accept what is not offered": (
        "not_acceptable",
        "POST",
        EMBED,
        raw(jpeg(), accept="text/csv"),
    ),
    "npy with a broken image": (
        "empty_image",
        "POST",
        EMBED,
        parts(("images", jpeg()), ("images", b"")) | {"headers": {"accept": "application/x-npy"}},
    ),
    "explain nothing": ("missing_part", "POST", EXPLAIN, parts(("reference", jpeg()))),
    "similarity to nothing": ("missing_part", "POST", f"{EXPLAIN}?target=similarity", IMAGE),
    "self with reference": (
        "invalid_field",
        "POST",
        f"{EXPLAIN}?target=self",
        parts(("image", jpeg()), ("reference", jpeg())),
    ),
    "unknown target": ("invalid_field", "POST", f"{EXPLAIN}?target=mood", IMAGE),
    "broken reference": (
        "empty_image",
        "POST",
        EXPLAIN,
        parts(("image", jpeg()), ("reference", b"")),
    ),
    "unknown path": ("not_found", "GET", "/v1/colections", NOTHING),
    "wrong method": ("method_not_allowed", "DELETE", "/v1/models", NOTHING),
    "unknown collection": ("unknown_collection", "GET", GONE, NOTHING),
    "index into no collection": ("unknown_collection", "POST", f"{GONE}/images", IMAGE),
    "search no collection": ("unknown_collection", "POST", f"{GONE}/search", {"json": {"id": "a"}}),
    "drop no collection": ("unknown_collection", "DELETE", GONE, NOTHING),
    "cluster no collection": ("unknown_collection", "POST", f"{GONE}/clusterings", {"json": {}}),
    "project no collection": ("unknown_collection", "POST", f"{GONE}/projections", {"json": {}}),
    "impossible name": ("invalid_field", "PUT", "/v1/collections/a%20b", {"json": {}}),
    "collection of no model": (
        "unknown_model",
        "PUT",
        "/v1/collections/new",
        {"json": {"model": "nope"}},
    ),
    "collection, unknown field": (
        "invalid_field",
        "PUT",
        "/v1/collections/new",
        {"json": {"hue": 1}},
    ),
    "unknown distance": (
        "invalid_field",
        "PUT",
        "/v1/collections/new",
        {"json": {"distance": "manhattan"}},
    ),
    "index of no type": (
        "invalid_field",
        "PUT",
        "/v1/collections/new",
        {"json": {"indexes": {"metadata.x": "vector"}}},
    ),
    "index outside metadata": (
        "invalid_field",
        "PUT",
        "/v1/collections/new",
        {"json": {"indexes": {"label": "keyword"}}},
    ),
    "too few ids": ("invalid_field", "POST", INDEX, parts(("images", jpeg()), ids="[]")),
    "ids that are no json": ("invalid_field", "POST", INDEX, parts(("images", jpeg()), ids="a,b")),
    "empty id": ("invalid_field", "POST", INDEX, parts(("images", jpeg()), ids='[""]')),
    "metadata no object": (
        "invalid_field",
        "POST",
        INDEX,
        parts(("images", jpeg()), metadata="[1]"),
    ),
    "too many indexes": (
        "invalid_field",
        "PUT",
        "/v1/collections/new",
        {"json": {"indexes": {f"metadata.{i}": "keyword" for i in range(65)}}},
    ),
    "metadata nested too deep": (
        "invalid_field",
        "POST",
        INDEX,
        parts(("images", jpeg()), metadata=json.dumps([nested(33)])),
    ),
    "edit, nested too deep": (
        "invalid_field",
        "PATCH",
        f"{INDEX}/a",
        {"json": {"metadata": nested(33)}},
    ),
    "edit, a number beyond 64 bits": (
        "invalid_field",
        "PATCH",
        f"{INDEX}/a",
        {"json": {"metadata": {"a": [2**63]}}},
    ),
    "index as json, nested too deep": (
        "invalid_field",
        "POST",
        INDEX,
        {"json": {"images": [{"base64": "", "metadata": nested(33)}]}},
    ),
    "unknown image": ("unknown_image", "GET", f"{INDEX}/zzz", NOTHING),
    "thumbnail of no image": ("unknown_image", "GET", f"{INDEX}/zzz/thumbnail", NOTHING),
    "edit no image": ("unknown_image", "PATCH", f"{INDEX}/zzz", {"json": {"metadata": {}}}),
    "delete no image": ("unknown_image", "DELETE", f"{INDEX}/zzz", NOTHING),
    "edit an id": ("invalid_field", "PATCH", f"{INDEX}/a", {"json": {"metadata": {}, "id": "b"}}),
    "delete by nothing": ("invalid_field", "POST", f"{INDEX}/delete", {"json": {}}),
    "delete by both": (
        "invalid_field",
        "POST",
        f"{INDEX}/delete",
        {"json": {"ids": [], "filter": {}}},
    ),
    "filter that is no json": ("invalid_field", "GET", f"{INDEX}?filter=x", NOTHING),
    "filter with an unknown clause": (
        "invalid_filter",
        "GET",
        INDEX,
        {"params": {"filter": '{"perhaps": []}'}},
    ),
    "limit zero": ("invalid_field", "GET", f"{INDEX}?limit=0", NOTHING),
    "search by no id": ("unknown_image", "POST", SEARCH, {"json": {"id": "zzz"}}),
    "search by nothing": ("invalid_field", "POST", SEARCH, {"json": {}}),
    "search by two things": ("invalid_field", "POST", SEARCH, {"json": {"id": "a", "vector": [1]}}),
    "short vector": ("wrong_dimension", "POST", SEARCH, {"json": {"vector": [1.0, 0.0]}}),
    "zero vector": ("invalid_vector", "POST", SEARCH, {"json": {"vector": [0.0] * 16}}),
    "text in a vector": ("invalid_field", "POST", SEARCH, {"json": {"vector": ["x"]}}),
    "search, unknown field": ("invalid_field", "POST", SEARCH, {"json": {"id": "a", "hue": 1}}),
    "search, unknown clause": (
        "invalid_filter",
        "POST",
        SEARCH,
        {"json": {"id": "a", "filter": {"perhaps": []}}},
    ),
    "search by no example": ("unknown_image", "POST", SEARCH, {"json": {"positive": ["zzz"]}}),
    "group by nothing known": (
        "invalid_field",
        "POST",
        SEARCH,
        {"json": {"id": "a", "group_by": "metadata.zzz"}},
    ),
    "region outside the image": ("invalid_field", "POST", f"{SEARCH}?region=0,0,999,9", IMAGE),
    "region that is none": ("invalid_field", "POST", f"{SEARCH}?region=left", IMAGE),
    "effort of zero": ("invalid_field", "POST", SEARCH, {"json": {"id": "a", "ef": 0}}),
    "batch of nothing": ("invalid_field", "POST", f"{SEARCH}/batch", {"json": {"searches": []}}),
    "batch that is no list": (
        "invalid_field",
        "POST",
        f"{SEARCH}/batch",
        {"json": {"searches": 1}},
    ),
    "batch in no collection": (
        "unknown_collection",
        "POST",
        f"{GONE}/search/batch",
        {"json": {"searches": [{"id": "a"}]}},
    ),
    "facets of no field": ("missing_part", "GET", f"{C}/facets", NOTHING),
    "facets of no collection": ("unknown_collection", "GET", f"{GONE}/facets?field=key", NOTHING),
    "no calibration": ("unknown_calibration", "GET", f"{C}/calibration", NOTHING),
    "calibrate too few": ("invalid_parameters", "POST", f"{C}/calibration", {"json": {}}),
    "calibrate no collection": ("unknown_collection", "POST", f"{GONE}/calibration", {"json": {}}),
    "no comparison": ("unknown_comparison", "GET", f"{C}/comparisons/no", NOTHING),
    "compare with itself": ("invalid_field", "POST", f"{C}/compare", {"json": {}}),
    "compare no collection": ("unknown_collection", "POST", f"{GONE}/compare", {"json": {}}),
    "no duplicates": ("unknown_duplicates", "GET", f"{C}/duplicates/no", NOTHING),
    "duplicates beyond equal": (
        "invalid_field",
        "POST",
        f"{C}/duplicates",
        {"json": {"near": 1.5}},
    ),
    "too many hits": ("invalid_field", "POST", SEARCH, {"json": {"id": "a", "limit": 100_000}}),
    "two query images": (
        "invalid_field",
        "POST",
        SEARCH,
        parts(("image", jpeg()), ("image", jpeg())),
    ),
    "unknown algorithm": ("invalid_parameters", "POST", CLUSTER, {"json": {"algorithm": "tea"}}),
    "unknown parameter": (
        "invalid_parameters",
        "POST",
        CLUSTER,
        {"json": {"parameters": {"q": 1}}},
    ),
    "k of zero": ("invalid_parameters", "POST", CLUSTER, {"json": {"parameters": {"k": 0}}}),
    "more clusters than images": (
        "invalid_parameters",
        "POST",
        CLUSTER,
        {"json": {"parameters": {"k": 99}}},
    ),
    "unknown reduction": ("invalid_parameters", "POST", CLUSTER, {"json": {"reduction": "fold"}}),
    "clustering, unknown field": ("invalid_field", "POST", CLUSTER, {"json": {"k": 3}}),
    "unknown clustering": ("unknown_clustering", "GET", f"{CLUSTER}/zzz", NOTHING),
    "assign to no clustering": ("unknown_clustering", "POST", f"{CLUSTER}/zzz/assign", IMAGE),
    "compare no clustering": (
        "unknown_clustering",
        "GET",
        f"{CLUSTER}/zzz/agreement?field=metadata.label",
        NOTHING,
    ),
    "a range of k upside down": (
        "invalid_parameters",
        "POST",
        CLUSTER,
        {"json": {"parameters": {"k": [3, 2]}}},
    ),
    "unknown criterion": ("invalid_field", "POST", CLUSTER, {"json": {"criterion": "taste"}}),
    "drop no clustering": ("unknown_clustering", "DELETE", f"{CLUSTER}/zzz", NOTHING),
    "unknown method": ("invalid_parameters", "POST", PROJECT, {"json": {"method": "tea"}}),
    "four dimensions": ("invalid_field", "POST", PROJECT, {"json": {"dimensions": 4}}),
    "unknown projection": ("unknown_projection", "GET", f"{PROJECT}/zzz", NOTHING),
    "place on no projection": ("unknown_projection", "POST", f"{PROJECT}/zzz/transform", IMAGE),
    "unknown job": ("unknown_job", "GET", "/v1/jobs/zzz", NOTHING),
    "cancel no job": ("unknown_job", "DELETE", "/v1/jobs/zzz", NOTHING),
    "events of no job": ("unknown_job", "GET", "/v1/jobs/zzz/events", NOTHING),
}
STATUS = {error.code: error.status for error in all_errors()}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_wrong_request_is_answered_with_its_code(service: FakeService, name: str) -> None:
    code, method, path, body = REQUESTS[name]
    assert_problem(service.client.request(method, path, **body), STATUS[code], code)
    beside = service.client.post("/v1/embed", content=jpeg(), headers=JPEG)
    assert beside.status_code == 200


def test_a_body_that_grows_past_the_limit_is_refused_too(service: FakeService) -> None:
    chunks = (bytes(1_000_000) for _ in range(5))
    response = service.client.post(EMBED, content=chunks, headers=JPEG)
    assert_problem(response, 413, "body_too_large")


def test_a_collection_cannot_change_its_space(service: FakeService) -> None:
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
        started.turns.images = 1
        response = service.client.post("/v1/embed", content=jpeg(), headers=JPEG)
        assert_problem(response, 429, "overloaded")
        assert int(response.headers["retry-after"]) >= 1
        started.turns.images = 0
        assert service.client.post("/v1/embed", content=jpeg(), headers=JPEG).status_code == 200


def test_every_error_has_a_code_of_its_own() -> None:
    classes = [c for c in all_errors() if not c.__subclasses__()]
    assert len({c.code for c in classes}) == len(classes)
