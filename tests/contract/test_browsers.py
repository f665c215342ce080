"""What browsers are told with every answer, and what pages of other sites cannot make them do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import ValidationError

from lookalike_service.access.keys import entry, new_key, write_keys
from lookalike_service.settings import Settings
from tests.fakes.service import FakeService, fake_service
from tests.pictures import jpeg

KEY = new_key()
KEYS = write_keys([entry(KEY, "admin")])
BEARER = {"Authorization": f"Bearer {KEY}"}
APP = "https://app.example.com"
CROSS = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}


@pytest.fixture(scope="module")
def unlocked() -> Iterator[FakeService]:
    with fake_service() as started:
        assert started.client.put("/v1/collections/c", json={}).status_code == 201
        yield started


@pytest.fixture(scope="module")
def locked() -> Iterator[FakeService]:
    with fake_service(api_keys=KEYS, cors_origins=(APP,), max_body_bytes=100_000) as started:
        yield started


ANSWERS: dict[str, tuple[str, str, dict[str, Any], int]] = {
    "an answer": ("GET", "/v1/info", {"headers": BEARER}, 200),
    "a probe": ("GET", "/livez", {}, 200),
    "the document": ("GET", "/openapi.json", {}, 200),
    "no key": ("GET", "/v1/info", {}, 401),
    "nothing there": ("GET", "/nowhere", {}, 404),
    "no such method": ("BREW", "/livez", {}, 405),
    "too large a body": ("POST", "/v1/embed", {"headers": BEARER, "content": bytes(200_000)}, 413),
    "a wrong body": ("POST", "/v1/embed", {"headers": BEARER, "content": b"x"}, 415),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_every_answer_has_the_security_headers(locked: FakeService, name: str) -> None:
    method, path, options, status = ANSWERS[name]
    answer = locked.client.request(method, path, **options)
    assert answer.status_code == status
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-store"
    assert "server" not in answer.headers


@pytest.mark.parametrize("name", ANSWERS)
def test_a_page_that_may_use_the_service_can_read_its_errors_too(
    locked: FakeService, name: str
) -> None:
    method, path, options, status = ANSWERS[name]
    headers = options.get("headers", {}) | {"Origin": APP}
    answer = locked.client.request(method, path, **options | {"headers": headers})
    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == APP
    assert {"X-Request-Id", "Retry-After"} <= set(
        answer.headers["access-control-expose-headers"].split(", ")
    )
    assert "access-control-allow-credentials" not in answer.headers


def test_an_unexpected_failure_is_read_as_well(locked: FakeService) -> None:
    def fail() -> None:
        raise RuntimeError("broken")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(locked.store, "collections", fail)
        answer = locked.client.get("/v1/collections", headers=BEARER | {"Origin": APP})
    assert answer.status_code == 500
    assert answer.headers["access-control-allow-origin"] == APP
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_route_keeps_the_headers_that_it_sets(unlocked: FakeService) -> None:
    data = {"ids": '["a"]'}
    unlocked.client.post("/v1/collections/c/images", files=[("images", jpeg())], data=data)
    answer = unlocked.client.get("/v1/collections/c/images/a/thumbnail")
    assert answer.headers.get_list("cache-control") == ["private, no-cache"]


def test_a_preflight_is_answered_to_the_allowed_origins_alone(locked: FakeService) -> None:
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, content-type",
    }
    granted = locked.client.options("/v1/embed", headers=asked | {"Origin": APP})
    assert granted.status_code == 200
    assert granted.headers["access-control-allow-origin"] == APP
    for origin in ("https://evil.example", APP + ".evil.example", "null", APP + ":444"):
        refused = locked.client.options("/v1/embed", headers=asked | {"Origin": origin})
        assert refused.status_code == 400
        assert "access-control-allow-origin" not in refused.headers
    for answer in (granted, refused):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"


def test_by_default_no_origin_may_read_answers(unlocked: FakeService) -> None:
    answer = unlocked.client.get("/livez", headers={"Origin": "http://127.0.0.1"})
    assert "access-control-allow-origin" not in answer.headers


ORIGINS = ["*", "https://*.example.com", "null", APP + "/", "app.example.com"]


@pytest.mark.parametrize("origin", ORIGINS)
def test_an_origin_that_is_none_is_refused_at_start(origin: str) -> None:
    with pytest.raises(ValidationError, match="cors_origins"):
        Settings(cors_origins=(origin,))


@pytest.mark.parametrize("headers", [
    CROSS,
    {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:8080"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors", "Origin": "http://127.0.0.1:8080"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
])  # fmt: skip
def test_without_keys_a_page_of_another_site_cannot_change_anything(
    unlocked: FakeService, headers: dict[str, str]
) -> None:
    """A multipart form needs no preflight; neither does the form that a page submits by navigating."""
    path = "/v1/collections/c/images"
    answer = unlocked.client.post(path, files=[("images", jpeg(seed=9))], headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert "LOOKALIKE_CORS_ORIGINS" in answer.json()["detail"]


def test_without_keys_a_page_of_another_site_embeds_no_picture_of_it(unlocked: FakeService) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    path = "/v1/collections/c/images/a/thumbnail"
    assert unlocked.client.get(path, headers=headers).status_code == 403


@pytest.mark.parametrize("headers", [
    {}, {"Origin": "http://127.0.0.1"}, {"Sec-Fetch-Site": "none"},
    {"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1"},
    {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
])  # fmt: skip
def test_without_keys_its_own_page_programs_and_links_are_answered(
    unlocked: FakeService, headers: dict[str, str]
) -> None:
    assert unlocked.client.get("/v1/collections", headers=headers).status_code == 200


@pytest.mark.parametrize("host", [
    "evil.example", "evil.example:3000", "127.0.0.1.evil.example", "localhost.evil.example",
    "10.0.0.1", "a@127.0.0.1", "evil.example#127.0.0.1", "127.0.0.1, evil.example", "[::1", "\xe9",
])  # fmt: skip
def test_without_keys_a_name_that_was_given_our_address_is_not_answered(
    unlocked: FakeService, host: str
) -> None:
    """DNS rebinding: to the browser the request is of the same origin, and only the name tells."""
    headers = {b"Host": host.encode("latin-1"), b"Sec-Fetch-Site": b"same-origin"}
    answer = unlocked.client.get("/v1/collections", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert "LOOKALIKE_HOSTS" in answer.json()["detail"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:3000", "127.0.0.1:1", "[::1]:3000"])
def test_without_keys_the_names_of_this_machine_are_answered(
    unlocked: FakeService, host: str
) -> None:
    assert unlocked.client.get("/v1/info", headers={"Host": host}).status_code == 200


def test_probes_are_answered_by_whatever_name(unlocked: FakeService) -> None:
    for path in ("/livez", "/readyz"):
        assert unlocked.client.get(path, headers={"Host": "10.1.2.3:3000"}).status_code == 200


@pytest.mark.parametrize(("settings", "answered", "refused"), [
    ({"hosts": ("box.lan",)}, ["box.lan", "Box.lan:3000", "localhost"], ["evil.example"]),
    ({"open": True}, ["anything.example"], []),
    ({"open": True, "hosts": ("lookalike",)}, ["lookalike:3000", "127.0.0.1"], ["evil.example"]),
    ({"api_keys": KEYS}, ["anything.example"], []),
    ({"api_keys": KEYS, "hosts": ("box.lan",)}, ["box.lan"], ["evil.example"]),
])  # fmt: skip
def test_the_host_names_that_are_answered_can_be_told(
    settings: dict[str, Any], answered: list[str], refused: list[str]
) -> None:
    with fake_service(**settings) as service:
        for host, status in [*((name, 200) for name in answered), *((n, 403) for n in refused)]:
            answer = service.client.get("/v1/info", headers={"Host": host} | BEARER)
            assert answer.status_code == status, host


def test_without_keys_a_page_that_is_allowed_is_served() -> None:
    with fake_service(cors_origins=(APP,)) as service:
        headers = {"Origin": APP, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
        answer = service.client.get("/v1/collections", headers=headers)
        assert answer.status_code == 200
        assert answer.headers["access-control-allow-origin"] == APP
        assert service.client.get("/v1/collections", headers=CROSS).status_code == 403


def test_with_keys_the_key_alone_decides(locked: FakeService) -> None:
    assert locked.client.get("/v1/collections", headers=CROSS | BEARER).status_code == 200
    assert locked.client.get("/v1/collections", headers=CROSS).status_code == 401
