"""The Qdrant server engine where no server is: what failures are called."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import grpc
import httpx
import pytest
from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import UnexpectedResponse

from lookalike_service.errors import (
    CollectionExists,
    Internal,
    InvalidFilter,
    LookalikeError,
    SpaceMismatch,
    StoreUnavailable,
    UnknownCollection,
)
from lookalike_service.store.factory import open_store
from lookalike_service.store.server import ServerStore, connect
from lookalike_service.store.server_engine import grpc_error, rest_error
from tests.contract.stores import point, settings


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is bound, so that nobody else listens there, and refuses connections."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield int(bound.getsockname()[1])


def test_a_store_opens_although_its_server_is_away(closed_port: int) -> None:
    store = open_store(settings(qdrant_url=f"http://127.0.0.1:{closed_port}"))
    assert store.kind == "qdrant"
    for call in (store.check, store.collections, lambda: store.upsert("c", [point(1)])):
        with pytest.raises(StoreUnavailable, match="does not answer"):
            call()
    store.close()


def test_an_unreachable_grpc_server_is_unavailable_too(closed_port: int) -> None:
    client = QdrantClient(
        host="127.0.0.1", grpc_port=closed_port, prefer_grpc=True, check_compatibility=False
    )
    store = ServerStore(client)
    with pytest.raises(StoreUnavailable, match="UNAVAILABLE"):
        store.check()
    store.close()


@pytest.mark.parametrize(
    ("url", "uses_grpc"),
    [
        ("http://qdrant:6333", True),
        ("http://qdrant", True),
        ("https://example.org:443", False),
        ("http://127.0.0.1:7000", False),
    ],
)
def test_grpc_is_used_on_the_standard_port_alone(url: str, uses_grpc: bool) -> None:
    client = connect(url, None)
    assert client.init_options["prefer_grpc"] is uses_grpc
    client.close()


REST: list[tuple[int, str, type[LookalikeError]]] = [
    (404, "Not found: Collection `c` doesn't exist!", UnknownCollection),
    (409, "Wrong input: Collection `c` already exists!", CollectionExists),
    (400, "Wrong input: Not existing vector name error: 0123", SpaceMismatch),
    (400, "Wrong input: something else", Internal),
    (400, 'Bad request: Index required but not found for "metadata.a"', InvalidFilter),
    (429, "too many", StoreUnavailable),
    (500, "Service internal error", StoreUnavailable),
    (503, "starting", StoreUnavailable),
]


@pytest.mark.parametrize(("status", "text", "error"), REST)
def test_rest_failures_get_their_names(status: int, text: str, error: type[LookalikeError]) -> None:
    response = UnexpectedResponse(status, "reason", text.encode(), httpx.Headers())
    assert type(rest_error("c", response)) is error


class Failed(grpc.RpcError, grpc.Call):  # type: ignore[misc]  # grpc ships no types
    """What a gRPC call raises."""

    def __init__(self, code: grpc.StatusCode, text: str) -> None:
        self._code, self._text = code, text

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str:
        return self._text

    initial_metadata = trailing_metadata = is_active = time_remaining = cancel = add_callback = None


GRPC: list[tuple[str, str, type[LookalikeError]]] = [
    ("NOT_FOUND", "Not found: Collection `c` doesn't exist!", UnknownCollection),
    ("ALREADY_EXISTS", "Collection `c` already exists!", CollectionExists),
    ("INVALID_ARGUMENT", "Wrong input: Not existing vector name error: 0123", SpaceMismatch),
    ("INVALID_ARGUMENT", "Wrong input: something else", Internal),
    ("UNAVAILABLE", "failed to connect", StoreUnavailable),
    ("DEADLINE_EXCEEDED", "timeout", StoreUnavailable),
    ("INTERNAL", "Service internal error", StoreUnavailable),
]


@pytest.mark.parametrize(("code", "text", "error"), GRPC)
def test_grpc_failures_get_their_names(code: str, text: str, error: type[LookalikeError]) -> None:
    assert type(grpc_error("c", Failed(grpc.StatusCode[code], text))) is error
