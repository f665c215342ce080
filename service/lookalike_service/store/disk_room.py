"""Room on the disk: what is written to a full one kills the engine, so it is not begun."""

from __future__ import annotations

import os
from pathlib import Path

from lookalike_service.errors import StoreUnavailable

_RESERVE = 64 * 2**20
"""Two segments of the engine's log, which it makes in one piece."""


def require_room(folder: Path, wanted: int = 0) -> None:
    """Raise StoreUnavailable unless that many bytes can be written and a reserve is left."""
    stat = os.statvfs(folder)
    free = stat.f_bavail * stat.f_frsize
    if free < wanted + _RESERVE:
        raise StoreUnavailable(
            f"the disk of {folder} has {free // 2**20} MiB left and {(wanted + _RESERVE) // 2**20} "
            "MiB are needed; nothing was written, searches go on",
            retry_after=60,
        )
