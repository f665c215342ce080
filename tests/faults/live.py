"""The service in a process of its own, for tests that try to break it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from examples.demo.server import LiveService
from tests.e2e.live import live_service

PATIENCE = 60.0
"""Seconds after which an answer counts as hung."""


@contextlib.contextmanager
def fragile_service(folder: Path, **variables: str) -> Iterator[LiveService]:
    """A live service that starts fast and whose embeddings can be compared bit for bit."""
    with contextlib.ExitStack() as stack:
        # For its start alone: other services may follow.
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LOOKALIKE_MODEL", "pixels:8x8-rgb")
            for name, value in variables.items():
                patch.setenv(name, value)
            started = stack.enter_context(live_service(folder))
        yield started


def assert_unharmed(service: LiveService) -> None:
    """The same process serves, is ready, owes nobody an answer, and no fault of its own is in its log."""
    assert service.process.poll() is None, service.log.read_text()[-4000:]
    assert httpx.get(f"{service.url}/readyz", timeout=PATIENCE).status_code == 200
    metrics = httpx.get(f"{service.url}/metrics", timeout=PATIENCE).text
    assert re.search(r"^lookalike_queue_images 0\.0$", metrics, re.MULTILINE), metrics
    log = service.log.read_text()
    for fault in ("Traceback", "unexpected error", "encoder failed", "Warning"):
        assert fault not in log, log[max(0, log.index(fault) - 1000) :][:4000]
