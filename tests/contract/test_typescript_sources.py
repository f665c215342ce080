"""The TypeScript client is of today's service: its document, its errors, its calls, its version."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lookalike import errors as python_client
from lookalike_service import __version__

CLIENT = Path(__file__).parents[2] / "clients" / "typescript"
NOT_CALLED = {
    "GET /livez": "orchestrators ask it",
    "GET /metrics": "Prometheus reads it",
    "POST /v1/embeddings": "it is there for the clients of OpenAI's interface",
    "DELETE /v1/collections/{collection}/images/{id}": "delete() takes one id or many, any of them",
}


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", CLIENT / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def sources() -> str:
    return "\n".join(path.read_text() for path in sorted((CLIENT / "src").glob("*.ts")))


def test_the_document_and_the_errors_are_todays(generate: ModuleType) -> None:
    assert generate.stale() == [], "run `make typescript`"


def test_every_call_of_the_document_is_made() -> None:
    document: dict[str, Any] = json.loads((CLIENT / "openapi.json").read_text())
    offered = {
        f"{method.upper()} {path}"
        for path, methods in document["paths"].items()
        for method in methods
    }
    made = re.findall(r'http\.([A-Z]+)\(\s*"([^"]+)"', sources())
    called = {f"{method} {path}" for method, path in made}
    assert called == offered - set(NOT_CALLED)


def test_errors_of_the_clients_side_are_those_of_the_python_client() -> None:
    found = re.findall(r"export class (\w+) extends ClientError", sources())
    assert set(found) == {cls.__name__ for cls in python_client.ClientError.__subclasses__()}


def test_client_and_service_are_of_one_version() -> None:
    assert json.loads((CLIENT / "package.json").read_text())["version"] == __version__


def test_versions_are_pinned_and_no_registry_is_named() -> None:
    package = json.loads((CLIENT / "package.json").read_text())
    for version in (package["dependencies"] | package["devDependencies"]).values():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert not (CLIENT / "package-lock.json").exists()
    assert "registry" not in (CLIENT / ".npmrc").read_text()
