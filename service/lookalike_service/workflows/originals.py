"""The files that images were indexed from, where this machine has them."""

from __future__ import annotations

import hashlib

from lookalike_service.images import Limits
from lookalike_service.settings import Settings
from lookalike_service.store.protocol import Record


def read_original(record: Record, settings: Settings, limits: Limits) -> bytes | None:
    """The bytes that were indexed, where `source` names a file with them in the allowed folder.

    A source is whatever a caller wrote: nothing outside the folder is opened, and nothing else used.
    """
    source = record.payload.get("source")
    if settings.originals is None or not source or "\0" in source:
        return None
    root = settings.originals.resolve()
    try:
        file = (root / source).resolve()
        if not file.is_relative_to(root) or not file.is_file():
            return None
        if file.stat().st_size > limits.max_bytes:
            return None
        data = file.read_bytes()
    except OSError:
        return None  # gone or not readable: the thumbnail is there for that
    return data if hashlib.sha256(data).hexdigest() == record.payload["sha256"] else None
