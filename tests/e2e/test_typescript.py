"""The TypeScript client: its types are of today's OpenAPI document, and it works with the service."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from examples.demo.server import LiveService

CLIENT = Path(__file__).parents[2] / "clients" / "typescript"


def npm(*arguments: str, **environment: str) -> str:
    """What an npm script prints; skips where it cannot be run."""
    program = shutil.which("npm")
    if program is None:
        pytest.skip("npm is not installed")
    if not (CLIENT / "node_modules").is_dir():
        pytest.skip("the client's packages are not installed: make test-ts")
    ran = subprocess.run(
        [program, "run", "--silent", *arguments],
        cwd=CLIENT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_the_types_are_of_the_document() -> None:
    npm("check")


def test_the_client_compiles_and_works_with_the_service(shared_service: LiveService) -> None:
    printed = npm("test", LOOKALIKE_TEST_URL=shared_service.url)
    assert "# skipped 0" in printed
    assert "# fail 0" in printed
