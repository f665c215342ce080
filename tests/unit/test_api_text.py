"""Text over HTTP: embedded beside images, searched by, and in OpenAI's dialect."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.fakes.encoder import CHANNELS, FakeEncoder
from tests.fakes.service import FakeService, fake_service
from tests.pictures import broken, jpeg


class TextualEncoder(FakeEncoder):
    """Texts are pictures here: `seed 3` is embedded as the picture of that seed is."""

    def __init__(self) -> None:
        super().__init__()
        self.info = replace(self.info, text=True)

    def encode_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = [np.random.default_rng(len(text)).normal(size=CHANNELS) for text in texts]
        return np.array([row / np.linalg.norm(row) for row in rows], np.float32)


@pytest.fixture(scope="module")
def service() -> Iterator[FakeService]:
    with fake_service(TextualEncoder()) as started:
        yield started


def data_url(data: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"


def test_texts_are_embedded_after_the_images(service: FakeService) -> None:
    body = {
        "images": [{"base64": base64.b64encode(jpeg()).decode()}],
        "texts": ["a cat", "a rocket"],
    }
    items = service.client.post("/v1/embed", json=body).json()["items"]
    assert [item["index"] for item in items] == [0, 1, 2]
    expected = service.encoder.encode_text(["a cat", "a rocket"])
    np.testing.assert_allclose([item["embedding"] for item in items[1:]], expected, atol=1e-6)


def test_a_text_finds_images(service: FakeService) -> None:
    service.client.put("/v1/collections/words", json={})
    files = [("images", jpeg(seed=i)) for i in range(4)]
    ids = json.dumps(list("abcd"))
    service.client.post("/v1/collections/words/images", files=files, data={"ids": ids})
    hits = service.client.post("/v1/collections/words/search", json={"text": "a cat"}).json()[
        "hits"
    ]
    text = service.encoder.encode_text(["a cat"])[0]
    items = service.client.post("/v1/embed", files=files).json()["items"]
    cosines = {
        key: float(np.dot(text, item["embedding"])) for key, item in zip("abcd", items, strict=True)
    }
    assert [hit["id"] for hit in hits] == sorted(cosines, key=lambda key: -cosines[key])


def test_openai_inputs_are_texts_and_images_in_order(service: FakeService) -> None:
    inputs = ["a cat", data_url(jpeg(seed=1)), "a rocket"]
    answer = service.client.post("/v1/embeddings", json={"model": None, "input": inputs}).json()
    assert answer["object"] == "list"
    assert [row["index"] for row in answer["data"]] == [0, 1, 2]
    texts = service.encoder.encode_text(["a cat", "a rocket"])
    image = service.client.post(
        "/v1/embed", content=jpeg(seed=1), headers={"content-type": "image/jpeg"}
    ).json()["items"][0]["embedding"]
    found = [row["embedding"] for row in answer["data"]]
    np.testing.assert_allclose(found, [texts[0], image, texts[1]], atol=1e-6)


def test_openai_base64_holds_the_same_floats(service: FakeService) -> None:
    body = {"input": "a cat"}
    plain = service.client.post("/v1/embeddings", json=body).json()["data"][0]["embedding"]
    coded = service.client.post("/v1/embeddings", json=body | {"encoding_format": "base64"})
    raw = base64.b64decode(coded.json()["data"][0]["embedding"])
    np.testing.assert_allclose(np.frombuffer(raw, "<f4"), plain, atol=1e-6)


def test_openai_fields_that_are_not_used_do_no_harm(service: FakeService) -> None:
    response = service.client.post("/v1/embeddings", json={"input": ["x"], "user": "me"})
    assert response.status_code == 200


def test_a_broken_image_among_openai_inputs_is_named(service: FakeService) -> None:
    inputs = ["a cat", data_url(broken()["truncated jpeg"].data)]
    response = service.client.post("/v1/embeddings", json={"input": inputs})
    assert (response.status_code, response.json()["code"]) == (422, "truncated_image")
    assert response.json()["index"] == 1


def test_an_encoder_without_text_says_so() -> None:
    with fake_service() as service:
        service.client.put("/v1/collections/c", json={})
        for path, body in (
            ("/v1/embed", {"texts": ["a cat"]}),
            ("/v1/embeddings", {"input": "a cat"}),
            ("/v1/collections/c/search", {"text": "a cat"}),
        ):
            response = service.client.post(path, json=body)
            assert (response.status_code, response.json()["code"]) == (422, "unsupported_text")
