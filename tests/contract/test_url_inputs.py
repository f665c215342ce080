"""JSON requests whose images are at URLs: off by default, and one that cannot be fetched fails alone."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import numpy as np
import pytest

from lookalike_service.fetching.fetcher import Fetcher
from lookalike_service.settings import Settings
from tests.fakes.loopback import listening
from tests.fakes.service import FakeService, fake_service
from tests.pictures import broken, jpeg

BODIES = {"/a.jpg": jpeg(seed=1), "/b.jpg": jpeg(seed=2), "/broken": broken()["truncated png"].data}
C = "/v1/collections/c"


class Pictures(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = BODIES.get(self.path)
        self.send_response(404 if body is None else 200)
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    with listening(Pictures) as url:
        yield url


@pytest.fixture(scope="module")
def service(host: str) -> Iterator[FakeService]:
    hosts = (host.removeprefix("http://"),)
    with fake_service(url_hosts=hosts) as started:
        # The pictures are on loopback, which no service fetches from: here it counts as public.
        settings = Settings(url_hosts=hosts)
        fetcher = Fetcher(settings, is_allowed=lambda address: address == "127.0.0.1")
        started.client.app.state.fetcher = fetcher  # type: ignore[attr-defined] # it is our FastAPI
        started.client.put(C, json={})
        yield started


def sent(service: FakeService, path: str, *images: Any) -> Any:
    answer = service.client.post(path, json={"images": list(images)})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_image_at_a_url_is_embedded_as_if_it_were_sent(service: FakeService, host: str) -> None:
    uploaded = {"base64": base64.b64encode(BODIES["/a.jpg"]).decode()}
    found = sent(service, "/v1/embed", {"url": f"{host}/a.jpg"}, uploaded)["items"]
    np.testing.assert_allclose(found[0]["embedding"], found[1]["embedding"])


@pytest.mark.parametrize("explain", ["none", "self"])
def test_urls_that_give_no_picture_fail_alone_in_their_places(
    service: FakeService, host: str, explain: str
) -> None:
    urls = ["/gone", "/a.jpg", "/broken", "/b.jpg"]
    images = [{"url": f"{host}{url}"} for url in urls]
    images.insert(2, {"url": "http://elsewhere.example/x.jpg"})
    found = sent(service, f"/v1/embed?explain={explain}", *images)["items"]
    codes = [item["error"]["code"] if item.get("error") else None for item in found]
    assert codes == ["url_failed", None, "url_refused", "truncated_image", None]
    assert [item["index"] for item in found] == [0, 1, 2, 3, 4]
    alone = sent(service, "/v1/embed", {"url": f"{host}/b.jpg"})["items"]
    np.testing.assert_allclose(found[4]["embedding"], alone[0]["embedding"])
    assert all(("map" in item) == (explain == "self") for item in (found[1], found[4]))


def test_texts_are_numbered_after_images_that_failed(service: FakeService, host: str) -> None:
    body = {"images": [{"url": f"{host}/gone"}, {"url": f"{host}/a.jpg"}], "texts": ["red"]}
    answer = service.client.post("/v1/embed", json=body).json()
    if "items" in answer:
        assert [item["index"] for item in answer["items"]] == [0, 1, 2]
    else:
        assert answer["code"] == "unsupported_text"


def test_an_image_alone_is_answered_with_its_error(service: FakeService, host: str) -> None:
    for path in ("/v1/embed", f"{C}/images"):
        body = {"images": [{"url": f"{host}/gone"}]}
        answer = service.client.post(path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "url_failed")


def test_images_at_urls_are_indexed_with_their_origin(service: FakeService, host: str) -> None:
    found = sent(
        service,
        f"{C}/images",
        {"url": f"{host}/a.jpg", "id": "a", "metadata": {"n": 1}},
        {"url": f"{host}/gone"},
        {"url": f"{host}/b.jpg", "source": "shelf"},
        {"base64": base64.b64encode(jpeg(seed=3)).decode(), "id": "c"},
    )
    assert (found["created"], found["failed"]) == (3, 1)
    assert found["items"][1]["error"]["code"] == "url_failed"
    first = service.client.get(f"{C}/images/a").json()
    assert (first["source"], first["metadata"]) == (f"{host}/a.jpg", {"n": 1})
    key = hashlib.sha256(BODIES["/b.jpg"]).hexdigest()
    assert service.client.get(f"{C}/images/{key}").json()["source"] == "shelf"
    assert service.client.get(f"{C}/images/c").json()["source"] is None


def test_a_search_is_by_the_image_at_a_url(service: FakeService, host: str) -> None:
    sent(service, f"{C}/images", {"url": f"{host}/a.jpg", "id": "a"})
    body = {"image": {"url": f"{host}/a.jpg"}, "limit": 1, "explain": "similarity"}
    (hit,) = service.client.post(f"{C}/search", json=body).json()["hits"]
    assert hit["id"] == "a"
    assert hit["score"] == pytest.approx(1, abs=1e-5)
    assert hit["explanation"]["query_map"] is not None
    part = body | {"region": {"left": 0, "top": 0, "width": 20, "height": 20}, "explain": "none"}
    assert service.client.post(f"{C}/search", json=part).json()["made_from"] == "image"
    gone = service.client.post(f"{C}/search", json={"image": {"url": f"{host}/gone"}})
    assert gone.json()["code"] == "url_failed"


@pytest.mark.parametrize("body", [
    {"images": [{}]}, {"images": [{"url": "http://a", "base64": "AAAA"}]}, {"images": [{"url": 1}]},
    {"images": [{"url": "http://a/" + "x" * 5000}]}, {"images": ["http://a/x.jpg"]},
])  # fmt: skip
def test_an_image_is_given_in_one_way(service: FakeService, body: Any) -> None:
    for path in ("/v1/embed", f"{C}/images"):
        answer = service.client.post(path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_field"), answer.text


def test_a_search_is_by_one_thing(service: FakeService, host: str) -> None:
    both = {"image": {"url": f"{host}/a.jpg"}, "id": "a"}
    answer = service.client.post(f"{C}/search", json=both)
    assert answer.json()["code"] == "invalid_field"
    batch = {"searches": [{"image": {"url": f"{host}/a.jpg"}}]}
    found = service.client.post(f"{C}/search/batch", json=batch).json()
    assert found["items"][0]["error"]["code"] == "invalid_field"


def test_by_default_no_url_is_fetched_and_the_error_says_how_to_allow_it(host: str) -> None:
    with fake_service() as service:
        service.client.put(C, json={})
        for path in ("/v1/embed", f"{C}/images"):
            answer = service.client.post(path, json={"images": [{"url": f"{host}/a.jpg"}]})
            assert (answer.status_code, answer.json()["code"]) == (422, "url_refused")
            assert "LOOKALIKE_URL_HOSTS" in answer.json()["detail"]


def test_a_url_as_the_text_of_a_file_part_is_never_fetched(service: FakeService, host: str) -> None:
    for path in ("/v1/embed", f"{C}/images"):
        answer = service.client.post(
            path, files=[("images", (None, f"{host}/a.jpg".encode(), "text/plain"))]
        )
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_field")
