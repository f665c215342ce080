"""Requests made up from the OpenAPI document: the service fails on none, and answers as it promises.

LOOKALIKE_EXAMPLES says how many per call; the same ones on every run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import checks
from schemathesis.schemas import BaseSchema

from tests.faults.live import PATIENCE, assert_unharmed, fragile_service
from tests.openapi_promise import PROMISE
from tests.pictures import jpeg

EXAMPLES = int(os.environ.get("LOOKALIKE_EXAMPLES", "4"))
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
KNOWN = {"collection": "c", "name": "run", "id": "a", "label": 0}


@pytest.fixture(scope="module")
def promised(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BaseSchema]:
    with fragile_service(tmp_path_factory.mktemp("service")) as service:
        with httpx.Client(base_url=service.url, timeout=60) as http:
            fill(http)
        yield schemathesis.openapi.from_url(f"{service.url}/openapi.json")
        assert_unharmed(service)


def fill(http: httpx.Client) -> None:
    """A collection with a run of everything, so that made-up requests get further than to a 404."""
    assert http.put("/v1/collections/c", json={}).status_code == 201
    files = [("images", jpeg(seed=i)) for i in range(12)]
    data = {
        "ids": json.dumps([chr(ord("a") + i) for i in range(12)]),
        "metadata": json.dumps([{"kind": "xy"[i % 2], "n": i} for i in range(12)]),
    }
    assert http.post("/v1/collections/c/images", files=files, data=data).is_success
    runs: dict[str, dict[str, Any]] = {
        "clusterings": {"algorithm": "kmeans", "parameters": {"k": 2}},
        "projections": {"method": "pca"},
        "duplicates": {},
    }
    for kind, body in runs.items():
        job = http.post(f"/v1/collections/c/{kind}", json={"name": "run", **body})
        assert job.status_code == 202, job.text
        with http.stream("GET", f"/v1/jobs/{job.json()['id']}/events") as events:
            events.read()
        ended = http.get(f"/v1/jobs/{job.json()['id']}").json()
        assert ended["state"] == "succeeded", ended


@schemathesis.hook
def map_path_parameters(
    context: schemathesis.HookContext, path_parameters: dict[str, Any] | None
) -> dict[str, Any] | None:
    """Mostly what exists; only what was made up is ever deleted."""
    assert context.operation is not None
    deleting = context.operation.method.upper() == "DELETE"
    if path_parameters and not deleting and len(str(path_parameters)) % 5:
        return {name: KNOWN.get(name, value) for name, value in path_parameters.items()}
    return path_parameters


CALLS = [
    (method.upper(), path)
    for path, methods in json.loads(PROMISE.read_text())["paths"].items()
    for method in methods
]
CALLS.sort(
    key=lambda call: call[1].endswith(("/delete", "/apply"))
)  # what takes images away, at last


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_a_made_up_request_is_answered_as_documented(
    promised: BaseSchema, method: str, path: str
) -> None:
    @given(promised[path][method].as_strategy())
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def answered_as_documented(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(checks=CHECKS, timeout=PATIENCE)

    answered_as_documented()
