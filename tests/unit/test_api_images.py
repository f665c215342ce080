"""Indexing, browsing and searching over HTTP, on a fake encoder and an in-memory store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from lookalike_service.errors import Internal
from lookalike_service.store.protocol import Collection, Filter
from tests.fakes.encoder import FakeEncoder
from tests.fakes.service import FakeService, fake_app, fake_service
from tests.fakes.store import FakeStore
from tests.pictures import jpeg


@pytest.fixture(scope="module")
def service() -> Iterator[FakeService]:
    with fake_service() as started:
        yield started


@pytest.fixture
def collection(service: FakeService, request: pytest.FixtureRequest) -> Iterator[str]:
    name = request.node.name.partition("[")[0][:60]
    assert service.client.put(f"/v1/collections/{name}", json={}).status_code == 201
    yield f"/v1/collections/{name}"
    service.client.delete(f"/v1/collections/{name}")


def add(service: FakeService, collection: str, *images: bytes, **fields: object) -> Any:
    files = [("images", (f"{i}.jpg", data, "image/jpeg")) for i, data in enumerate(images)]
    data = {name: json.dumps(value) for name, value in fields.items()}
    response = service.client.post(f"{collection}/images", files=files, data=data)
    assert response.status_code == 200, response.text
    return response.json()


class HalfReadable(FakeStore):
    """A store that cannot read the collection `torn`."""

    def count(self, name: str, filter: Filter | None = None) -> int:
        if name == "torn":
            raise Internal("collection 'torn' cannot be opened")
        return super().count(name, filter)


def test_a_collection_that_cannot_be_read_keeps_no_other_from_being_listed() -> None:
    store, space = HalfReadable(), FakeEncoder().info.space
    for name in ("sound", "torn"):
        store.create_collection(Collection(name, space, "2026-01-01T00:00:00Z", {}))
    with TestClient(fake_app(FakeEncoder(), store), "http://127.0.0.1") as client:
        listed = client.get("/v1/collections").json()
        described = client.get("/v1/collections/torn")
    assert [one["name"] for one in listed["collections"]] == ["sound"]
    assert listed["unreadable"] == ["torn"]
    assert (described.status_code, described.json()["code"]) == (500, "internal_error")
    assert "'torn' cannot be opened" in described.json()["detail"]


def test_an_image_is_created_then_unchanged_then_updated(
    service: FakeService, collection: str
) -> None:
    first, other = jpeg(seed=1), jpeg(seed=2)
    assert add(service, collection, first, ids=["a"])["items"][0]["status"] == "created"
    seen = sum(service.encoder.batches)
    assert add(service, collection, first, ids=["a"])["items"][0]["status"] == "unchanged"
    assert sum(service.encoder.batches) == seen, "an unchanged image is not embedded again"
    assert add(service, collection, other, ids=["a"])["items"][0]["status"] == "updated"
    assert service.client.get(collection).json()["points"] == 1


def test_without_an_id_the_content_hash_is_the_id(service: FakeService, collection: str) -> None:
    data = jpeg(seed=3)
    assert add(service, collection, data)["items"][0]["id"] == hashlib.sha256(data).hexdigest()


def test_new_metadata_updates_an_image_without_embedding_it_again(
    service: FakeService, collection: str
) -> None:
    data = jpeg(seed=4)
    add(service, collection, data, ids=["a"], metadata=[{"label": "x"}])
    seen = sum(service.encoder.batches)
    answer = add(service, collection, data, ids=["a"], metadata=[{"label": "y"}])
    assert answer["items"][0]["status"] == "updated"
    assert sum(service.encoder.batches) == seen
    assert service.client.get(f"{collection}/images/a").json()["metadata"] == {"label": "y"}


def test_an_image_twice_in_a_call_is_stored_once(service: FakeService, collection: str) -> None:
    data = jpeg(seed=5)
    answer = add(service, collection, data, data)
    assert [item["status"] for item in answer["items"]] == ["created", "unchanged"]
    assert service.client.get(collection).json()["points"] == 1


def test_two_images_of_one_id_in_a_call_are_told_apart(
    service: FakeService, collection: str
) -> None:
    answer = add(service, collection, jpeg(seed=6), jpeg(seed=7), ids=["a", "a"])
    assert answer["items"][0]["status"] == "created"
    assert answer["items"][1]["error"]["code"] == "invalid_field"


def test_an_id_may_hold_any_character(service: FakeService, collection: str) -> None:
    key = "ward 3/scan#7?ü%2F.png/thumbnail"
    add(service, collection, jpeg(seed=8), ids=[key])
    path = "ward%203%2Fscan%237%3F%C3%BC%252F.png%2Fthumbnail"
    assert service.client.get(f"{collection}/images/{path}").json()["id"] == key
    assert service.client.get(f"{collection}/images/{path}/thumbnail").status_code == 200
    assert service.client.delete(f"{collection}/images/{path}").status_code == 204
    assert service.client.get(f"{collection}/images/{path}").json()["code"] == "unknown_image"


def test_a_thumbnail_is_a_small_jpeg(service: FakeService, collection: str) -> None:
    add(service, collection, jpeg(640, 320, seed=9), ids=["a"])
    response = service.client.get(f"{collection}/images/a/thumbnail")
    assert response.headers["content-type"] == "image/jpeg"
    import io

    assert Image.open(io.BytesIO(response.content)).size == (192, 96)


def test_metadata_is_merged_and_null_removes(service: FakeService, collection: str) -> None:
    add(service, collection, jpeg(seed=10), ids=["a"], metadata=[{"x": 1, "y": 2}])
    response = service.client.patch(
        f"{collection}/images/a", json={"metadata": {"y": None, "z": 3}}
    )
    assert response.json()["metadata"] == {"x": 1, "z": 3}


def test_pages_hold_every_image_once(service: FakeService, collection: str) -> None:
    add(service, collection, *(jpeg(seed=20 + i) for i in range(7)))
    seen, cursor = [], None
    while True:
        params = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        page = service.client.get(f"{collection}/images", params=params).json()
        seen += [image["id"] for image in page["images"]]
        cursor = page["cursor"]
        if cursor is None:
            break
    assert len(seen) == len(set(seen)) == 7


def test_images_are_deleted_by_id(service: FakeService, collection: str) -> None:
    add(service, collection, jpeg(seed=31), jpeg(seed=32), ids=["a", "b"])
    response = service.client.post(f"{collection}/images/delete", json={"ids": ["a", "zzz"]})
    assert response.json() == {"deleted": 1}
    assert service.client.get(collection).json()["points"] == 1


def test_an_image_finds_itself_first(service: FakeService, collection: str) -> None:
    images = [jpeg(seed=40 + i) for i in range(5)]
    add(service, collection, *images, ids=list("abcde"))
    for body in ({"files": {"image": images[2]}}, {"content": images[2]}):
        headers = {"content-type": "image/jpeg"} if "content" in body else {}
        response = service.client.post(f"{collection}/search", **body, headers=headers)
        hits = response.json()["hits"]
        assert hits[0]["id"] == "c"
        assert hits[0]["score"] == pytest.approx(1, abs=1e-5)
        assert [hit["score"] for hit in hits] == sorted((h["score"] for h in hits), reverse=True)


def test_a_search_by_id_leaves_the_query_out(service: FakeService, collection: str) -> None:
    add(service, collection, *(jpeg(seed=50 + i) for i in range(4)), ids=list("abcd"))
    hits = service.client.post(f"{collection}/search", json={"id": "b", "limit": 3}).json()["hits"]
    assert {hit["id"] for hit in hits} == {"a", "c", "d"}


def test_a_vector_from_embed_finds_its_image(service: FakeService, collection: str) -> None:
    data = jpeg(seed=60)
    add(service, collection, data, jpeg(seed=61), ids=["a", "b"])
    embedding = service.client.post(
        "/v1/embed", content=data, headers={"content-type": "image/jpeg"}
    ).json()["items"][0]["embedding"]
    response = service.client.post(f"{collection}/search", json={"vector": embedding})
    assert response.json()["hits"][0]["id"] == "a"


def test_npy_answers_hold_the_same_embeddings_as_json(service: FakeService) -> None:
    files = [("images", jpeg(seed=70)), ("images", jpeg(seed=71))]
    import io

    as_json = service.client.post("/v1/embed", files=files).json()
    response = service.client.post(
        "/v1/embed", files=files, headers={"accept": "application/x-npy"}
    )
    array = np.load(io.BytesIO(response.content), allow_pickle=False)
    assert array.dtype == np.float32
    assert array.shape == (2, as_json["dim"])
    np.testing.assert_allclose(array, [item["embedding"] for item in as_json["items"]], atol=1e-6)
