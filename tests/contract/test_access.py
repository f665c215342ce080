"""Whom the service answers: every route declares its role, and no key reaches beyond its scope."""

from __future__ import annotations

import asyncio
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest

from lookalike import Lookalike
from lookalike import errors as sdk
from lookalike_service.access.keys import ROLES, Role, entry, new_key, write_keys
from lookalike_service.api.security import GuardedRoute, check_guarded, guarded_router
from tests.fakes.encoder import FakeEncoder
from tests.fakes.service import FakeService, fake_app, fake_server, fake_service
from tests.fakes.store import FakeStore
from tests.pictures import jpeg

DOCS = Path(__file__).parents[2] / "docs" / "security.md"
KEYS: dict[str, str] = {role: new_key() for role in ROLES} | {"shop": new_key()}
ENTRIES = write_keys(
    [entry(KEYS[role], role, name=role) for role in get_args(Role)]
    + [entry(KEYS["shop"], "admin", ["shop-*"], "shop")]
)


def bearer(name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {KEYS[name]}"}


@pytest.fixture(scope="module")
def service() -> Iterator[FakeService]:
    with fake_service(api_keys=ENTRIES) as started:
        for name in ("shop-eu", "private"):
            path, headers = f"/v1/collections/{name}", bearer("admin")
            assert started.client.put(path, json={}, headers=headers).status_code == 201
            files = [("images", jpeg(seed=i)) for i in range(24)]
            data = {"ids": json.dumps([*"abcdefghijklmnopqrstuvwx"])}
            sent = started.client.post(f"{path}/images", files=files, data=data, headers=headers)
            assert sent.json()["created"] == 24
        yield started


def routes() -> list[GuardedRoute]:
    """Every route of the service."""
    all_routes = fake_app(FakeEncoder(), FakeStore()).routes
    others = [route for route in all_routes if not isinstance(route, GuardedRoute)]
    assert [getattr(route, "path", route) for route in others] == ["/openapi.json"]
    return [route for route in all_routes if isinstance(route, GuardedRoute)]


def method(route: GuardedRoute) -> str:
    return min(route.methods or ())


def name(route: GuardedRoute) -> str:
    return f"{method(route)} {route.path}"


ROUTES = routes()
GUARDED = [route for route in ROUTES if route.needs is not None]
PUBLIC = {"GET /livez", "GET /readyz"}


def path_of(route: GuardedRoute) -> str:
    return re.sub(r"\{\w+\}", "private", route.path)


def test_only_these_calls_take_no_key() -> None:
    page = {route for route in map(name, ROUTES) if not route.startswith(("GET /v1", "POST /v1"))}
    public = {name(route) for route in ROUTES if route.needs is None}
    assert public >= PUBLIC
    assert public - PUBLIC <= page, "what is public beside them is the page and its files"


def test_a_route_without_a_role_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="declares neither"):
        guarded_router().get("/x")(lambda: None)


def test_a_router_that_guards_nothing_cannot_be_served() -> None:
    from fastapi import APIRouter

    router = APIRouter()
    router.get("/x")(lambda: None)
    with pytest.raises(TypeError, match="not guarded"):
        check_guarded(router)


@pytest.mark.parametrize("route", GUARDED, ids=name)
def test_no_call_is_answered_without_a_key(service: FakeService, route: GuardedRoute) -> None:
    answer = service.client.request(method(route), path_of(route))
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("route", GUARDED, ids=name)
def test_no_call_is_answered_to_a_lesser_role(service: FakeService, route: GuardedRoute) -> None:
    assert route.needs is not None
    for lesser in ROLES[: ROLES.index(route.needs)]:
        answer = service.client.request(method(route), path_of(route), headers=bearer(lesser))
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert f"the role '{route.needs}'; key '{lesser}' has '{lesser}'" in answer.json()["detail"]


@pytest.mark.parametrize(
    "route", [route for route in GUARDED if "{collection}" in route.path], ids=name
)
def test_no_call_reaches_a_collection_outside_the_scope(
    service: FakeService, route: GuardedRoute
) -> None:
    for collection in ("private", "nowhere", "private@x"):
        path = path_of(route).replace("/v1/collections/private", f"/v1/collections/{collection}")
        answer = service.client.request(method(route), path, headers=bearer("shop"))
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert f"for the collections 'shop-*', and '{collection}'" in answer.json()["detail"]


def test_of_two_keys_the_first_counts_as_it_does_for_a_proxy(service: FakeService) -> None:
    both = [("authorization", bearer(who)["Authorization"]) for who in ("shop", "admin")]
    url = "/v1/collections/private"
    assert service.client.get(url, headers=both).status_code == 403
    assert service.client.get(url, headers=both[::-1]).status_code == 200


@pytest.mark.parametrize("headers", [
    {"Authorization": "Bearer nonsense"}, {"Authorization": f"Basic {KEYS['admin']}"},
    {"Authorization": KEYS["admin"]}, {"Authorization": "Bearer"}, {"X-API-Key": "\xff"},
    {"X-API-Key": KEYS["admin"][:-1]}, {"Authorization": "Bearer x", "X-API-Key": KEYS["admin"]},
])  # fmt: skip
def test_what_is_no_key_opens_nothing(service: FakeService, headers: dict[str, str]) -> None:
    encoded = {key.encode(): value.encode("latin-1") for key, value in headers.items()}
    assert service.client.get("/v1/info", headers=encoded).status_code == 401


@pytest.mark.parametrize("headers", [
    bearer("read"), {"X-API-Key": KEYS["read"]}, {"authorization": f"bearer  {KEYS['read']}"},
    {"Authorization": "Basic Zm9yIHRoZSBwcm94eQ==", "X-API-Key": KEYS["read"]},
])  # fmt: skip
def test_a_key_is_taken_from_either_header(service: FakeService, headers: dict[str, str]) -> None:
    assert service.client.get("/v1/info", headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/openapi.json"])
def test_probes_and_the_document_need_no_key(service: FakeService, path: str) -> None:
    assert service.client.get(path).status_code == 200


def test_a_caller_is_told_what_it_may_do(service: FakeService) -> None:
    def access(**headers: str) -> Any:
        return service.client.get("/v1/info", headers=headers).json()["access"]

    assert access(**bearer("write")) == {"keys": True, "role": "write", "collections": None}
    assert access(**bearer("shop")) == {"keys": True, "role": "admin", "collections": ["shop-*"]}
    with fake_service() as unlocked:
        assert unlocked.client.get("/v1/info").json()["access"] == {
            "keys": False,
            "role": "admin",
            "collections": None,
        }


def test_lists_show_a_scoped_key_its_own_alone(service: FakeService) -> None:
    found = service.client.get("/v1/collections", headers=bearer("shop")).json()
    assert [one["name"] for one in found["collections"]] == ["shop-eu"]
    found = service.client.get("/v1/collections", headers=bearer("read")).json()
    assert [one["name"] for one in found["collections"]] == ["private", "shop-eu"]


def test_jobs_of_other_collections_are_as_if_they_were_not(service: FakeService) -> None:
    client, body = service.client, {"algorithm": "kmeans", "parameters": {"k": 2}}
    ids = {
        collection: client.post(
            f"/v1/collections/{collection}/clusterings", json=body, headers=bearer("write")
        ).json()["id"]
        for collection in ("private", "shop-eu")
    }
    listed = client.get("/v1/jobs", headers=bearer("shop")).json()["jobs"]
    assert [job["id"] for job in listed] == [ids["shop-eu"]]
    assert client.get("/v1/jobs?collection=private", headers=bearer("shop")).json()["jobs"] == []
    assert client.get(f"/v1/jobs/{ids['shop-eu']}", headers=bearer("shop")).is_success
    for verb, path in [("GET", ""), ("DELETE", ""), ("GET", "/events")]:
        hidden = client.request(verb, f"/v1/jobs/{ids['private']}{path}", headers=bearer("shop"))
        absent = client.request(verb, f"/v1/jobs/none{path}", headers=bearer("shop"))
        assert hidden.status_code == absent.status_code == 404
        assert hidden.text.replace(ids["private"], "none") == absent.text


@pytest.mark.parametrize("call", [
    ("POST", "/v1/embed?collection=private", {"content": jpeg()}),
    ("POST", "/v1/explain?collection=private&id=a", {"content": jpeg()}),
    ("POST", "/v1/explain?target=neighbours&collection=private", {"content": jpeg()}),
    ("POST", "/v1/explain?target=cluster&collection=private&clustering=x&cluster=0", {"content": jpeg()}),
    ("POST", "/v1/collections/shop-eu/compare",
     {"json": {"name": "x", "first": {}, "second": {"collection": "private"}}}),
])  # fmt: skip
def test_no_call_uses_a_collection_outside_the_scope_on_the_side(
    service: FakeService, call: tuple[str, str, dict[str, Any]]
) -> None:
    verb, path, body = call
    kind = {"content-type": "image/jpeg"} if "content" in body else {}
    answer = service.client.request(verb, path, headers=bearer("shop") | kind, **body)
    assert answer.json()["code"] == "forbidden", answer.text
    allowed = service.client.request(verb, path, headers=bearer("admin") | kind, **body)
    assert allowed.json().get("code") != "forbidden", allowed.text


def test_a_comparison_with_another_collection_shows_none_of_its_images(
    service: FakeService,
) -> None:
    client, path = service.client, "/v1/collections/shop-eu"
    body = {"name": "both", "first": {}, "second": {"collection": "private"}}
    job = client.post(f"{path}/compare", json=body, headers=bearer("admin")).json()["id"]
    with client.stream("GET", f"/v1/jobs/{job}/events", headers=bearer("admin")) as events:
        events.read()
    assert client.get(f"/v1/jobs/{job}", headers=bearer("admin")).json()["state"] == "succeeded"
    page = f"{path}/comparisons/both"
    for part, accept in [("", ""), ("/maps", ""), ("/counterparts", ""), ("", "text/html")]:
        headers = {"accept": accept or "application/json"}
        refused = client.get(page + part, headers=bearer("shop") | headers)
        assert refused.status_code == 403
        assert "private" not in refused.text
        assert client.get(page + part, headers=bearer("admin") | headers).is_success
    assert job not in client.get("/v1/jobs", headers=bearer("shop")).text
    for verb, part in [("GET", ""), ("DELETE", ""), ("GET", "/events")]:
        hidden = client.request(verb, f"/v1/jobs/{job}{part}", headers=bearer("shop"))
        assert (hidden.status_code, hidden.json()["code"]) == (404, "unknown_job")
    listed = f"{path}/comparisons"
    assert client.get(listed, headers=bearer("shop")).json()["comparisons"] == []
    assert '"name":"both"' in client.get(listed, headers=bearer("admin")).text
    headers = bearer("shop") | {"content-type": "image/jpeg"}
    asked = "/v1/explain?target=comparison&collection=shop-eu&comparison=both"
    answer = client.post(asked, content=jpeg(), headers=headers)
    assert answer.json()["code"] == "forbidden"


def test_no_error_names_what_is_kept_from_a_key(service: FakeService) -> None:
    headers = bearer("shop") | {"content-type": "image/jpeg"}
    for path in ("/v1/collections/shop-private/search", "/v1/embed?model=head:/nowhere/private"):
        answer = service.client.post(path, content=jpeg(), headers=headers)
        assert answer.status_code == 404
        assert "private" not in answer.json()["detail"].replace("shop-private", "").replace(
            "head:/nowhere/private", ""
        )


def test_a_key_that_may_not_train_may_not_stop_a_training(service: FakeService) -> None:
    from lookalike_service.schemas.jobs import Job, Progress

    job = Job(
        id="training-1", kind="training", collection="private", state="queued", parameters={},
        progress=Progress(stage="queued", done=0), created_at="2026-01-01T00:00:00Z",
    )  # fmt: skip
    body = {"job": job.model_dump(mode="json"), "owner": None, "starts": 0}
    service.store.put_document("job", job.id, body)
    refused = service.client.delete(f"/v1/jobs/{job.id}", headers=bearer("write"))
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")


def test_a_request_without_a_key_is_refused_before_its_body_is_read() -> None:
    with fake_server(api_keys=ENTRIES) as url:
        place = httpx.URL(url)
        for kind in (b"image/jpeg", b"application/json"):
            with socket.create_connection((place.host, place.port or 0), timeout=10) as connection:
                connection.sendall(
                    b"POST /v1/collections/c/compare HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: "
                    + kind + b"\r\nContent-Length: 100000\r\n\r\n{"
                )  # fmt: skip
                assert connection.recv(100).startswith(b"HTTP/1.1 401 ")


def test_the_client_knows_both_errors_and_sends_its_key() -> None:
    with fake_server(api_keys=ENTRIES) as url:
        with Lookalike(url) as nobody, pytest.raises(sdk.Unauthorized, match="API key"):
            nobody.embed([bytes(20_000_000)])
        with Lookalike(url, KEYS["read"]) as reader:
            access = reader.info().access
            assert access is not None
            assert (access.keys, access.role, access.collections) == (True, "read", None)
            with pytest.raises(sdk.Forbidden, match="'write'"):
                reader.create_collection("c")


def test_without_keys_a_connection_from_elsewhere_is_refused() -> None:
    from starlette.testclient import TestClient

    for exposed, status in (False, 403), (True, 200):
        app = fake_app(FakeEncoder(), FakeStore(), open=exposed)
        with TestClient(app, "http://192.0.2.1", headers={"Host": "localhost"}) as client:
            assert client.get("/livez").status_code == 200
            assert client.get("/v1/info").status_code == status


def test_the_document_says_which_role_a_call_needs(service: FakeService) -> None:
    document = service.client.get("/openapi.json").json()
    assert set(document["components"]["securitySchemes"]) == {"bearer", "apiKey"}
    for route in ROUTES:
        operation = document["paths"].get(route.path, {}).get(method(route).lower())
        if operation is None:
            assert not route.include_in_schema
        elif route.needs is None:
            assert operation["security"] == []
            assert "401" not in operation["responses"]
        else:
            assert operation["security"] == [{"bearer": [route.needs]}, {"apiKey": [route.needs]}]
            assert {"401", "403"} <= set(operation["responses"])


def test_the_table_of_roles_is_what_the_routes_declare() -> None:
    told: dict[str, str] = {}
    for line in DOCS.read_text().splitlines():
        if found := re.fullmatch(r"\| (read|write|admin) \| (.+) \|", line):
            for call in re.findall(r"`([A-Z]+ [/…][^`]*)`", found[2]):
                assert call not in told, f"{call} is there twice"
                told[call] = found[1]
    short = {
        name(route).replace("/v1/collections/{collection}", "…"): route.needs for route in GUARDED
    }
    assert told == short


async def test_probes_that_need_no_key_cost_one_image_at_a_time() -> None:
    encoder, running, most = FakeEncoder(), 0, 0
    encode = encoder.encode

    def watched(*arguments: Any, **keywords: Any) -> Any:
        nonlocal running, most
        running += 1
        most = max(most, running)
        found = encode(*arguments, **keywords)
        running -= 1
        return found

    encoder.encode = watched  # type: ignore[method-assign] # to see how many passes there are
    with fake_server(encoder=encoder, api_keys=ENTRIES) as url:
        before = len(encoder.batches)
        async with httpx.AsyncClient(base_url=url, timeout=30) as client:
            answers = await asyncio.gather(*(client.get("/readyz") for _ in range(60)))
        assert {answer.status_code for answer in answers} == {200}
        assert len(encoder.batches) - before < 30, "most joined one that was under way"
    assert most == 1


def test_indexing_begins_and_ends_with_a_scoped_key_that_may_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from lookalike_indexer.app import run

    for seed in range(3):
        (tmp_path / f"{seed}.jpg").write_bytes(jpeg(seed=seed))
    key = new_key()
    with fake_server(api_keys=write_keys([entry(key, "write", ["shop-*"])])) as url:
        monkeypatch.setenv("LOOKALIKE_URL", url)
        monkeypatch.setenv("LOOKALIKE_API_KEY", key)
        with pytest.raises(SystemExit) as ended:
            run(["index", str(tmp_path), "--collection", "shop-new"])
        assert ended.value.code in {None, 0}, capsys.readouterr()
        with Lookalike() as client:
            assert client.collection("shop-new").describe().points == 3
            with pytest.raises(sdk.Forbidden, match="'admin'"):
                client.delete_collection("shop-new")
        with pytest.raises(SystemExit) as ended:
            run(["index", str(tmp_path), "--collection", "other"])
        assert ended.value.code not in {None, 0}
        assert "shop-*" in capsys.readouterr().err
