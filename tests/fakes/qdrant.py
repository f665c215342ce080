"""A Qdrant server, for clients of other processes: its REST API on the client's in-memory mode.

It knows the calls that the store makes. Bodies and answers are the client's own models of them.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from pydantic import BaseModel
from qdrant_client import QdrantClient, models

from tests.fakes.loopback import listening


@dataclass
class QdrantFake:
    """Collections in memory, which `client` looks into; `paths` are those that were asked for."""

    client: QdrantClient = field(default_factory=lambda: QdrantClient(":memory:"))
    paths: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def listen(self, port: int = 0) -> AbstractContextManager[str]:
        """The address of a loopback server, at this port or any that is free."""
        return listening(_handler(self), port)

    def handle(self, method: str, path: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """The status and body of an answer."""
        with self._lock:
            self.paths.append(f"{method} {path}")
            found = re.fullmatch(r"/collections(?:/([^/]+)(/.*)?)?", path)
            if found is None:
                return 404, {"status": {"error": f"Not found: {path}"}}
            try:
                result = self._answer(method, found[1], found[2] or "", body or b"{}")
            except ValueError as error:
                return 404 if "not found" in str(error) else 400, {"status": {"error": str(error)}}
            return 200, {"result": result, "status": "ok", "time": 0.0}

    def _answer(self, method: str, name: str | None, rest: str, body: bytes) -> Any:
        if name is None:
            return _plain(self.client.get_collections())
        if rest == "/exists":
            return {"exists": self.client.collection_exists(name)}
        given = json.loads(body)
        return _plain(_CALLS[method, rest](self.client, name, given))


def _create(client: QdrantClient, name: str, given: Any) -> bool:
    asked = models.CreateCollection.model_validate(given)
    return client.create_collection(name, vectors_config=asked.vectors or {})


def _upsert(client: QdrantClient, name: str, given: Any) -> models.UpdateResult:
    asked = models.PointsList.model_validate(given)
    return client.upsert(name, asked.points, update_mode=asked.update_mode)


def _retrieve(client: QdrantClient, name: str, given: Any) -> list[models.Record]:
    asked = models.PointRequest.model_validate(given)
    return client.retrieve(
        name,
        asked.ids,
        with_payload=asked.with_payload or False,
        with_vectors=asked.with_vector or False,
    )


def _scroll(client: QdrantClient, name: str, given: Any) -> dict[str, Any]:
    asked = models.ScrollRequest.model_validate(given)
    points, following = client.scroll(
        name,
        asked.filter,
        limit=asked.limit or 10,
        offset=asked.offset,
        with_payload=asked.with_payload or False,
        with_vectors=asked.with_vector or False,
    )
    return {"points": _plain(points), "next_page_offset": following}


def _query(client: QdrantClient, name: str, given: Any) -> list[models.QueryResponse]:
    searches = models.QueryRequestBatch.model_validate(given).searches
    # In memory every search is exact, and a warning says so.
    exact = [search.model_copy(update={"params": None}) for search in searches]
    return client.query_batch_points(name, exact)


def _count(client: QdrantClient, name: str, given: Any) -> models.CountResult:
    return client.count(name, models.CountRequest.model_validate(given).filter)


def _delete(client: QdrantClient, name: str, given: Any) -> models.UpdateResult:
    return client.delete(name, models.FilterSelector.model_validate(given))


def _set_payload(client: QdrantClient, name: str, given: Any) -> models.UpdateResult:
    asked = models.SetPayload.model_validate(given)
    assert asked.filter is not None
    return client.set_payload(name, asked.payload, points=asked.filter, key=asked.key)


def _delete_payload(client: QdrantClient, name: str, given: Any) -> models.UpdateResult:
    asked = models.DeletePayload.model_validate(given)
    assert asked.filter is not None
    return client.delete_payload(name, asked.keys, points=asked.filter)


def _index(_client: QdrantClient, _name: str, _given: Any) -> dict[str, Any]:
    return {"operation_id": 0, "status": "completed"}


_CALLS: dict[tuple[str, str], Callable[[QdrantClient, str, Any], Any]] = {
    ("PUT", ""): _create,
    ("GET", ""): lambda client, name, _: client.get_collection(name),
    ("DELETE", ""): lambda client, name, _: client.delete_collection(name),
    ("PUT", "/index"): _index,
    ("PUT", "/points"): _upsert,
    ("POST", "/points"): _retrieve,
    ("POST", "/points/scroll"): _scroll,
    ("POST", "/points/query/batch"): _query,
    ("POST", "/points/count"): _count,
    ("POST", "/points/delete"): _delete,
    ("POST", "/points/payload"): _set_payload,
    ("POST", "/points/payload/delete"): _delete_payload,
}


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    return [_plain(one) for one in value] if isinstance(value, list) else value


def _handler(fake: QdrantFake) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            status, answer = fake.handle(self.command, self.path.partition("?")[0], body)
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            """Keep quiet."""

    return Handler
