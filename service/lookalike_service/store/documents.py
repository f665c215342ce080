"""Documents and arrays as points without vectors in one system collection of an engine.

A document is a JSON text. Arrays are their .npy bytes one after the other, cut into chunks; the
manifest names the version whose chunks count, so that readers never see a mix of two writes.
"""

from __future__ import annotations

import base64
import io
import json
import uuid
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike_service.errors import CollectionExists, Internal, UnknownCollection
from lookalike_service.store.engine import Engine
from lookalike_service.store.filters import IsEmpty, Match, Where
from lookalike_service.store.protocol import point_id

SYSTEM = "_lookalike"
"""The system collection; a caller's collection cannot begin with an underscore."""

_CHUNK_BYTES = 2**20
_PAGE = 256


class Documents:
    """Documents by kind and key, each with a set of named arrays beside it. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def put(self, kind: str, key: str, body: Mapping[str, Any]) -> None:
        """Write or replace. Raises ValueError or TypeError if the body is not JSON."""
        self._write(_owner(kind, key), _payload(kind, key, body))

    def add(self, kind: str, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Write unless there is one; the one that is there then. Raises as `put`."""
        while True:
            self._write(_owner(kind, key), _payload(kind, key, body), insert_only=True)
            found = self.get(kind, key)
            if found is not None:  # otherwise it was deleted just now
                return found

    def get(self, kind: str, key: str) -> dict[str, Any] | None:
        """One document, or None."""
        payload = self._read(_owner(kind, key))
        return None if payload is None else _body(payload)

    def of_kind(self, kind: str) -> list[tuple[str, dict[str, Any]]]:
        """All (key, body) of a kind, by key."""
        found = self._matching(Where(must=(Match("document", kind),)))
        return [(key, body) for _, key, body in found]

    def every(self) -> list[tuple[str, str, dict[str, Any]]]:
        """All (kind, key, body), by kind and key."""
        return self._matching(Where(must_not=(IsEmpty("document"),)))

    def _matching(self, where: Where) -> list[tuple[str, str, dict[str, Any]]]:
        found: list[tuple[str, str, dict[str, Any]]] = []
        start: str | None = None
        with suppress(UnknownCollection):  # nothing was ever written
            while True:
                page, start = self._engine.scroll(
                    SYSTEM, where, limit=_PAGE, start=start, without=()
                )
                found += [
                    (
                        str(record.payload["document"]),
                        str(record.payload["key"]),
                        _body(record.payload),
                    )
                    for record in page
                ]
                if start is None:
                    break
        return sorted(found, key=lambda document: document[:2])

    def delete(self, kind: str, key: str) -> None:
        """Delete a document and its arrays; a missing one is fine."""
        with suppress(UnknownCollection):
            self._engine.delete(SYSTEM, Where(must=(Match("owner", _owner(kind, key)),)))

    def put_arrays(self, kind: str, key: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Write or replace all arrays. Raises ValueError for dtype object."""
        owner = _owner(kind, key)
        older = self._read(_manifest(owner))
        data, version = _packed(arrays), uuid.uuid4().hex
        chunks = range(0, len(data), _CHUNK_BYTES)
        for i, at in enumerate(chunks):
            text = base64.b64encode(data[at : at + _CHUNK_BYTES]).decode()
            self._write(_chunk(version, i), {"owner": owner, "version": version, "data": text})
        manifest = {"owner": owner, "current": version, "chunks": len(chunks)}
        self._write(_manifest(owner), {**manifest, "names": list(arrays)})
        if older is not None:
            self._engine.delete(SYSTEM, Where(must=(Match("version", older["current"]),)))

    def arrays(self, kind: str, key: str) -> dict[str, NDArray[Any]] | None:
        """All arrays, or None if none were written."""
        owner = _owner(kind, key)
        manifest = self._read(_manifest(owner))
        while manifest is not None:
            data = self._data(manifest)
            if data is not None:
                return _unpacked(manifest["names"], data)
            older, manifest = manifest, self._read(_manifest(owner))
            if older == manifest:  # otherwise they were replaced while we read
                raise Internal(f"the arrays of {kind} {key!r} are incomplete; write them again")
        return None

    def _data(self, manifest: Mapping[str, Any]) -> bytes | None:
        parts = []
        for i in range(manifest["chunks"]):
            chunk = self._read(_chunk(manifest["current"], i))
            if chunk is None:
                return None
            parts.append(base64.b64decode(chunk["data"]))
        return b"".join(parts)

    def _read(self, id: str) -> dict[str, Any] | None:
        with suppress(UnknownCollection):
            for record in self._engine.retrieve(SYSTEM, [id], vector=None, without=()):
                return record.payload
        return None

    def _write(self, id: str, payload: Mapping[str, Any], *, insert_only: bool = False) -> None:
        try:
            self._engine.upsert(SYSTEM, [id], [payload], insert_only=insert_only)
        except UnknownCollection:  # the first write, or another server than before
            with suppress(CollectionExists):  # another process was as quick
                self._engine.create(SYSTEM, "unused", 1)
            for field in ("document", "owner", "version"):
                self._engine.create_index(SYSTEM, field, "keyword")
            self._engine.upsert(SYSTEM, [id], [payload], insert_only=insert_only)


def _payload(kind: str, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
    text = json.dumps(body, allow_nan=False)
    return {"owner": _owner(kind, key), "document": kind, "key": key, "body": text}


def _owner(kind: str, key: str) -> str:
    return point_id(json.dumps(["document", kind, key]))


def _manifest(owner: str) -> str:
    return point_id(json.dumps(["manifest", owner]))


def _chunk(version: str, i: int) -> str:
    return point_id(json.dumps(["chunk", version, i]))


def _body(payload: Mapping[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(payload["body"])
    return body


def _packed(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    buffer = io.BytesIO()
    for array in arrays.values():
        np.lib.format.write_array(buffer, np.asarray(array), allow_pickle=False)
    return buffer.getvalue()


def _unpacked(names: list[str], data: bytes) -> dict[str, NDArray[Any]]:
    buffer = io.BytesIO(data)
    return {name: np.lib.format.read_array(buffer, allow_pickle=False) for name in names}
