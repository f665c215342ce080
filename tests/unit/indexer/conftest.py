"""A fake service to index into, and journals of each test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lookalike import Lookalike
from lookalike.client import Collection
from tests.fakes.wire import WireService


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the journals."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture
def service() -> WireService:
    return WireService()


@pytest.fixture
def collection(service: WireService) -> Iterator[Collection]:
    with Lookalike(transport=service.transport(), retries=0) as client:
        yield client.collection("photos")
