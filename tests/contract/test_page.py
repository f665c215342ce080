"""The page over HTTP: its policy, its caching, and that nothing else can be read through it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from lookalike_service.api.page import UI
from tests.fakes.service import FakeService, fake_service


@pytest.fixture(scope="module")
def service() -> Iterator[FakeService]:
    with fake_service() as started:
        yield started


def test_the_page_needs_no_key_and_may_run_nothing_inline(service: FakeService) -> None:
    answer = service.client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    policy = dict(
        part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_document_is_asked_for_again_and_answered_shortly_if_it_is_the_same(
    service: FakeService,
) -> None:
    first = service.client.get("/")
    assert first.headers["cache-control"] == "no-cache"
    again = service.client.get("/", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_assets_are_kept_for_ever_and_come_compressed(service: FakeService) -> None:
    document = service.client.get("/").text
    (script,) = re.findall(r'src="\./(assets/[^"]+\.js)"', document)
    answer = service.client.get(f"/{script}", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert "immutable" in answer.headers["cache-control"]
    assert answer.content == (UI / script).read_bytes()
    plain = service.client.get(f"/{script}", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == answer.content


def test_every_file_that_the_document_names_is_served(service: FakeService) -> None:
    document = service.client.get("/").text
    for name in re.findall(r'(?:src|href)="\./([^"]+)"', document):
        assert service.client.get(f"/{name}").status_code == 200, name


@pytest.mark.parametrize(
    "path",
    [
        "/assets/none.js",
        "/assets/..%2Findex.html",
        "/assets/..%2F..%2Fsettings.py",
        "/assets/%2e%2e%2fbuild.json",
        "/build.json",
        "/settings.py",
    ],
)
def test_nothing_else_is_served(service: FakeService, path: str) -> None:
    answer = service.client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_page_is_not_part_of_the_api(service: FakeService) -> None:
    assert "/" not in service.client.get("/openapi.json").json()["paths"]
