"""One service for all the tests that try to break it by what they send."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from examples.demo.server import LiveService
from tests.faults.live import fragile_service


@pytest.fixture(scope="session")
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    with fragile_service(tmp_path_factory.mktemp("fragile")) as started:
        yield started
