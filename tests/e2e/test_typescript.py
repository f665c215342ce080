"""The TypeScript client: its types are of today's OpenAPI document, and it works with the service."""

from __future__ import annotations

from functools import partial

from examples.demo.server import LiveService
from tests.npm import run_script

npm = partial(run_script, "typescript", install="make test-ts")


def test_the_types_are_of_the_document() -> None:
    npm("check")


def test_the_client_compiles_and_works_with_the_service(shared_service: LiveService) -> None:
    printed = npm("test", LOOKALIKE_TEST_URL=shared_service.url)
    assert "# skipped 0" in printed
    assert "# fail 0" in printed
