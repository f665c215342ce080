"""Documents of an engine that this process alone writes to: each is read from it once."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from lookalike_service.store.documents import Documents
from lookalike_service.store.engine import Engine

_MOST = 1_000
_LONGEST = 2**16


class RememberedDocuments(Documents):
    """Remembers the documents read last, but for long ones, and that some do not exist. Thread-safe.

    Every search reads several, and each would cost a round trip to the engine's process.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._texts: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._changes = 0
        self._lock = threading.Lock()

    def get(self, kind: str, key: str) -> dict[str, Any] | None:
        """One document, or None; the caller's own copy."""
        with self._lock:
            text, changes = self._texts.get((kind, key)), self._changes
        if text is None:
            found = super().get(kind, key)
            self._remember((kind, key), json.dumps(found), changes)
            return found
        body: dict[str, Any] | None = json.loads(text)
        return body

    def put(self, kind: str, key: str, body: Mapping[str, Any]) -> None:
        """Write or replace. Raises ValueError or TypeError if the body is not JSON."""
        with self._changing(kind, key):
            super().put(kind, key, body)

    def add(self, kind: str, key: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Write unless there is one; the one that is there then. Raises as `put`."""
        with self._changing(kind, key):
            return super().add(kind, key, body)

    def delete(self, kind: str, key: str) -> None:
        """Delete a document and its arrays; a missing one is fine."""
        with self._changing(kind, key):
            super().delete(kind, key)

    def _remember(self, document: tuple[str, str], text: str, changes: int) -> None:
        with self._lock:
            # Read while another was written, it may be the one from before.
            if changes != self._changes or len(text) > _LONGEST:
                return
            self._texts[document] = text
            if len(self._texts) > _MOST:
                self._texts.popitem(last=False)

    @contextmanager
    def _changing(self, kind: str, key: str) -> Iterator[None]:
        """Forgets before and after: what is read meanwhile is neither."""
        self._forget((kind, key))
        try:
            yield
        finally:
            self._forget((kind, key))

    def _forget(self, document: tuple[str, str]) -> None:
        with self._lock:
            self._changes += 1
            self._texts.pop(document, None)
