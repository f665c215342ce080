"""The stores that contract tests run over, and an empty collection in each."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from lookalike_service.store.point_store import PointStore
from lookalike_service.store.protocol import Store
from tests.contract.stores import STORES, collection


@pytest.fixture(scope="module", params=STORES)
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PointStore]:
    with STORES[request.param](tmp_path_factory.mktemp(request.param)) as opened:
        yield opened


@pytest.fixture
def name(store: Store) -> str:
    """A new, empty collection."""
    name = f"c-{uuid.uuid4().hex}"
    store.create_collection(collection(name))
    return name
