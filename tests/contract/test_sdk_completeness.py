"""Whatever the API offers, the Python client can ask for; what it leaves out is listed with the reason."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import lookalike
from lookalike import (
    AsyncCollection,
    AsyncJob,
    AsyncLookalike,
    Collection,
    Job,
    Lookalike,
    TargetOptions,
    analysis_calls,
    clustering_calls,
    collection_calls,
    comparison_calls,
    migration_calls,
    search_calls,
    service_calls,
    training_calls,
)
from lookalike.call import Call
from tests.fakes.service import fake_service

MODULES: tuple[ModuleType, ...] = (
    service_calls,
    collection_calls,
    search_calls,
    analysis_calls,
    clustering_calls,
    comparison_calls,
    training_calls,
    migration_calls,
)
NOT_CALLED = {
    "GET /livez": "orchestrators ask it",
    "GET /metrics": "Prometheus reads it",
    "POST /v1/embeddings": "it is there for the clients of OpenAI's interface",
    "DELETE /v1/collections/{collection}/images/{id}": "delete() takes one id or many, any of them",
    "GET /v1/jobs/{id}/events": "Job.wait() asks again, which outlives a restart of the service",
}
NOT_TAKEN = {
    ("PUT /v1/collections/{collection}", "distance"): "there is one, cosine",
    ("POST /v1/collections/{collection}/trainings", "kind"): "each kind has its method",
}
UNDER_ANOTHER_NAME = {"image_page": "images", "cancel_job": "cancel"}
SAMPLES: dict[str, Any] = {
    "collection": "c", "name": "n", "id": "i", "label": 1, "image": b"x", "images": b"x", "texts": "t",
    "metadata": {}, "ids": ["i"], "field": "metadata.f", "searches": [{"id": "i"}], "model": "m",
    "later": "l", "path": "export.csv", "token": "t",
}  # fmt: skip


@pytest.fixture(scope="module")
def operations() -> dict[str, Any]:
    with fake_service() as service:
        document = service.client.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    return {
        f"{method.upper()} {path}": _options(operation, schemas)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }


def _options(operation: dict[str, Any], schemas: dict[str, Any]) -> set[str]:
    """Names of what an operation takes, in the query and in its bodies."""
    names = {each["name"] for each in operation.get("parameters", []) if each["in"] == "query"}
    for content in operation.get("requestBody", {}).get("content", {}).values():
        schema = content["schema"]
        for variant in schema.get("anyOf") or schema.get("oneOf") or [schema]:
            whole = schemas[variant["$ref"].split("/")[-1]] if "$ref" in variant else variant
            names |= set(whole.get("properties", {}))
    return names


def builders() -> dict[str, Callable[..., Call[Any]]]:
    return {
        name: function
        for module in MODULES
        for name, function in vars(module).items()
        if inspect.isfunction(function)
        and function.__module__ == module.__name__
        and not name.startswith("_")
    }


def operation_of(build: Callable[..., Call[Any]], operations: dict[str, Any]) -> str:
    """The operation that a call built with sample arguments is for."""
    sample = build(**{name: SAMPLES[name] for name in _needed(build)})
    for name in operations:
        method, path = name.split(" ")
        if method == sample.method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), sample.path):
            return name
    raise AssertionError(f"{build.__name__}: the service has no {sample.method} {sample.path}")


def _needed(build: Callable[..., Call[Any]]) -> list[str]:
    parameters = inspect.signature(build).parameters.values()
    named = [p for p in parameters if p.kind is not inspect.Parameter.VAR_KEYWORD]
    one_of = {"search": "id", "delete": "ids"}.get(build.__name__)
    return [p.name for p in named if p.default is p.empty or p.name == one_of]


def test_every_operation_is_called(operations: dict[str, Any]) -> None:
    called = {operation_of(build, operations) for build in builders().values()}
    assert called == set(operations) - set(NOT_CALLED)


def test_every_option_of_an_operation_is_taken(operations: dict[str, Any]) -> None:
    taken: dict[str, set[str]] = {}
    for build in builders().values():
        names = {name.rstrip("_") for name in inspect.signature(build).parameters}
        if "options" in names:
            names |= {name.rstrip("_") for name in TargetOptions.__annotations__}
        taken.setdefault(operation_of(build, operations), set()).update(names)
    missing = {(name, option) for name in taken for option in operations[name] - taken[name]}
    assert missing == set(NOT_TAKEN)


@pytest.mark.parametrize(
    "classes",
    [(Lookalike, Collection, Job), (AsyncLookalike, AsyncCollection, AsyncJob)],
    ids=["blocking", "async"],
)
def test_every_call_is_a_method(classes: tuple[type, ...]) -> None:
    methods = {name for cls in classes for name in vars(cls)}
    assert {UNDER_ANOTHER_NAME.get(name, name) for name in builders()} <= methods


def test_nothing_is_pickled_or_run() -> None:
    for path in Path(lookalike.__file__).parent.glob("**/*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        imported = {
            alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names
        }
        imported |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
        assert not imported & {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}, path
        called = {
            n.func.id for n in nodes if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)
        }
        assert not called & {"eval", "exec"}, path
