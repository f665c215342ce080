"""The store on a Qdrant server."""

from __future__ import annotations

from urllib.parse import urlsplit

from qdrant_client import QdrantClient

from lookalike_service.store.documents import Documents
from lookalike_service.store.label_companion import LabelCompanion
from lookalike_service.store.options import ServerOptions
from lookalike_service.store.point_store import PointStore
from lookalike_service.store.server_engine import ServerEngine

_REST_PORT = 6333
_TIMEOUT_SECONDS = 60


class ServerStore(PointStore):
    """Implements `Store` on a client; it may be one for a URL or the in-memory one of tests."""

    def __init__(self, client: QdrantClient, options: ServerOptions | None = None) -> None:
        engine = ServerEngine(client, options or ServerOptions())
        documents = Documents(engine)
        super().__init__(engine, documents, LabelCompanion(engine, documents), "qdrant")


def connect(url: str, api_key: str | None, *, timeout: int = _TIMEOUT_SECONDS) -> QdrantClient:
    """A client of the server at this URL; no call is made, the server may start later.

    `timeout`: after so many seconds a server that does not answer is away.

    On the standard port calls go over gRPC, several times as fast for vectors, to the port beside
    it. At any other port nothing is known of gRPC, and REST does everything.
    """
    return QdrantClient(
        url=url,
        api_key=api_key,
        prefer_grpc=(urlsplit(url).port or _REST_PORT) == _REST_PORT,
        timeout=timeout,
        check_compatibility=False,
    )
