"""The OpenAPI document is valid and complete, and the answers keep to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from lookalike_service.errors import all_errors
from lookalike_service.schemas.embedding import TargetOptions
from tests.fakes.service import FakeService, fake_service
from tests.pictures import jpeg

BODILESS = {
    "POST /v1/collections/{collection}/migration/rollback",
    "POST /v1/collections/{collection}/migration/finish",
}
DESIGNED = {
    "GET /livez", "GET /readyz", "GET /metrics", "GET /v1/info", "GET /v1/models",
    "GET /v1/algorithms",
    "POST /v1/embed", "POST /v1/explain",
    "GET /v1/collections", "PUT /v1/collections/{collection}", "GET /v1/collections/{collection}",
    "DELETE /v1/collections/{collection}",
    "POST /v1/collections/{collection}/images", "GET /v1/collections/{collection}/images",
    "GET /v1/collections/{collection}/images/{id}", "PATCH /v1/collections/{collection}/images/{id}",
    "DELETE /v1/collections/{collection}/images/{id}",
    "GET /v1/collections/{collection}/images/{id}/thumbnail",
    "POST /v1/collections/{collection}/images/delete",
    "POST /v1/collections/{collection}/search", "POST /v1/collections/{collection}/search/batch",
    "GET /v1/collections/{collection}/facets",
    "GET /v1/collections/{collection}/calibration", "POST /v1/collections/{collection}/calibration",
    "POST /v1/collections/{collection}/clusterings", "GET /v1/collections/{collection}/clusterings",
    "GET /v1/collections/{collection}/clusterings/{name}",
    "GET /v1/collections/{collection}/clusterings/{name}/agreement",
    "POST /v1/collections/{collection}/clusterings/{name}/assign",
    "PATCH /v1/collections/{collection}/clusterings/{name}",
    "POST /v1/collections/{collection}/clusterings/{name}/names",
    "GET /v1/collections/{collection}/clusterings/{name}/lineage",
    "GET /v1/collections/{collection}/clusterings/{name}/export",
    "DELETE /v1/collections/{collection}/clusterings/{name}",
    "GET /v1/collections/{collection}/clusterings/{name}/clusters/{label}",
    "POST /v1/collections/{collection}/projections", "GET /v1/collections/{collection}/projections",
    "GET /v1/collections/{collection}/projections/{name}",
    "POST /v1/collections/{collection}/projections/{name}/transform",
    "POST /v1/collections/{collection}/compare", "GET /v1/collections/{collection}/comparisons",
    "GET /v1/collections/{collection}/comparisons/{name}",
    "GET /v1/collections/{collection}/comparisons/{name}/counterparts",
    "GET /v1/collections/{collection}/comparisons/{name}/maps",
    "DELETE /v1/collections/{collection}/comparisons/{name}",
    "POST /v1/collections/{collection}/duplicates", "GET /v1/collections/{collection}/duplicates",
    "GET /v1/collections/{collection}/duplicates/{name}",
    "GET /v1/collections/{collection}/duplicates/{name}/groups",
    "GET /v1/collections/{collection}/duplicates/{name}/leakage",
    "GET /v1/collections/{collection}/duplicates/{name}/plan",
    "POST /v1/collections/{collection}/duplicates/{name}/apply",
    "DELETE /v1/collections/{collection}/duplicates/{name}",
    "POST /v1/collections/{collection}/migration", "GET /v1/collections/{collection}/migration",
    "DELETE /v1/collections/{collection}/migration",
    "POST /v1/collections/{collection}/migration/cutover", *BODILESS,
    "GET /v1/jobs", "GET /v1/jobs/{id}", "DELETE /v1/jobs/{id}", "GET /v1/jobs/{id}/events",
}  # fmt: skip


@pytest.fixture(scope="module")
def service() -> Iterator[FakeService]:
    with fake_service() as started:
        assert started.client.put("/v1/collections/c", json={}).status_code == 201
        files = [("images", jpeg(seed=i)) for i in range(3)]
        kinds = [{"kind": "x"}, {"kind": "y"}, {}]
        data = {"ids": json.dumps(["a", "b", "c"]), "metadata": json.dumps(kinds)}
        assert started.client.post(f"{C}/images", files=files, data=data).is_success
        body = {"name": "two", "algorithm": "kmeans", "parameters": {"k": 2}}
        job = started.client.post(f"{C}/clusterings", json=body).json()["id"]
        with started.client.stream("GET", f"/v1/jobs/{job}/events") as events:
            events.read()  # they end with the job
        assert started.client.get(f"/v1/jobs/{job}").json()["state"] == "succeeded"
        yield started


@pytest.fixture(scope="module")
def document(service: FakeService) -> Any:
    return service.client.get("/openapi.json").json()


C = "/v1/collections/c"
JPEG = {"content": jpeg(), "headers": {"content-type": "image/jpeg"}}


def operations(document: Any) -> dict[str, Any]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def test_the_document_is_valid(document: Any) -> None:
    validate(document)


def test_every_designed_call_is_there(document: Any) -> None:
    assert set(operations(document)) >= DESIGNED


def test_every_call_says_what_it_does_and_takes(document: Any) -> None:
    for name, operation in operations(document).items():
        assert operation["summary"], name
        assert operation["description"], name
        if name.startswith("POST") and name not in BODILESS:
            assert operation["requestBody"]["content"], name


def test_every_documented_error_is_an_example_with_a_known_code(document: Any) -> None:
    codes = {error.code: error.status for error in all_errors()}
    documented = set[str]()
    for operation in operations(document).values():
        for status, response in operation["responses"].items():
            if int(status) < 400:
                continue
            for code in response["content"]["application/problem+json"]["examples"]:
                assert codes[code] == int(status)
                documented.add(code)
    assert {
        "truncated_image",
        "unknown_collection",
        "overloaded",
        "store_unavailable",
    } <= documented


ANSWERS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "GET /readyz": ("GET", "/readyz", {}),
    "GET /v1/info": ("GET", "/v1/info", {}),
    "GET /v1/models": ("GET", "/v1/models", {}),
    "GET /v1/algorithms": ("GET", "/v1/algorithms", {}),
    "POST /v1/embed": ("POST", "/v1/embed?explain=self", JPEG),
    "POST /v1/explain": ("POST", "/v1/explain", {"files": {"image": jpeg(), "reference": jpeg()}}),
    "GET /v1/collections": ("GET", "/v1/collections", {}),
    "GET /v1/collections/{collection}": ("GET", C, {}),
    "POST /v1/collections/{collection}/images": ("POST", f"{C}/images", JPEG),
    "GET /v1/collections/{collection}/images": ("GET", f"{C}/images", {}),
    "GET /v1/collections/{collection}/images/{id}": ("GET", f"{C}/images/a", {}),
    "POST /v1/collections/{collection}/search": (
        "POST",
        f"{C}/search",
        {"json": {"id": "a", "explain": "similarity", "faithfulness": True}},
    ),
    "POST /v1/collections/{collection}/search/batch": (
        "POST",
        f"{C}/search/batch",
        {"json": {"searches": [{"id": "a", "group_by": "metadata.n"}, {"id": "gone"}]}},
    ),
    "GET /v1/collections/{collection}/facets": ("GET", f"{C}/facets?field=clusters.two", {}),
    "GET /v1/collections/{collection}/clusterings": ("GET", f"{C}/clusterings", {}),
    "GET /v1/collections/{collection}/clusterings/{name}": ("GET", f"{C}/clusterings/two", {}),
    "POST /v1/collections/{collection}/clusterings/{name}/assign": (
        "POST",
        f"{C}/clusterings/two/assign",
        JPEG,
    ),
    "GET /v1/collections/{collection}/clusterings/{name}/agreement": (
        "GET",
        f"{C}/clusterings/two/agreement?field=metadata.kind&value=x&precision_weight=0.3",
        {},
    ),
    "GET /v1/collections/{collection}/clusterings/{name}/clusters/{label}": (
        "GET",
        f"{C}/clusterings/two/clusters/0",
        {},
    ),
    "PATCH /v1/collections/{collection}/clusterings/{name}": (
        "PATCH",
        f"{C}/clusterings/two",
        {"json": {"description": "d", "clusters": {"0": {"name": "n"}}}},
    ),
    "GET /v1/collections/{collection}/clusterings/{name}/lineage": (
        "GET",
        f"{C}/clusterings/two/lineage?later=two",
        {},
    ),
    "GET /v1/collections/{collection}/projections": ("GET", f"{C}/projections", {}),
    "GET /v1/jobs": ("GET", "/v1/jobs", {}),
}


@pytest.mark.parametrize("call", ["/v1/explain", "/v1/embed"])
def test_every_option_of_a_target_is_a_described_parameter(document: Any, call: str) -> None:
    parameters = {p["name"]: p for p in document["paths"][call]["post"]["parameters"]}
    options = TargetOptions.model_json_schema()["properties"]
    assert set(options) <= set(parameters)
    for name in options:
        assert parameters[name].get("description"), name


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_keeps_to_its_schema(service: FakeService, document: Any, name: str) -> None:
    method, path, body = ANSWERS[name]
    response = service.client.request(method, path, **body)
    assert response.status_code == 200, response.text
    content = operations(document)[name]["responses"]["200"]["content"]
    schema = content["application/json"]["schema"]
    whole = schema | {"components": document["components"]}
    Draft202012Validator(whole).validate(response.json())
