"""A service in a process of its own, as `lookalike serve` starts it, with all its files in one folder."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from examples.demo import server
from examples.demo.server import COMMAND, LiveService


def live_service(
    folder: Path, command: Sequence[str] = (COMMAND, "serve"), port: int | None = None
) -> contextlib.AbstractContextManager[LiveService]:
    """See `examples.demo.server.live_service`."""
    return server.live_service(folder / "data", folder / "service.log", command, port)
