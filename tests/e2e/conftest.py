"""One service for all tests that share it; each works in collections of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from examples.demo.server import LiveService
from tests.e2e.live import live_service


@pytest.fixture(scope="session")
def shared_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    with live_service(tmp_path_factory.mktemp("shared-service")) as started:
        yield started
