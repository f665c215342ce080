"""A `lookalike serve` for the benches, in a process of its own."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from examples.demo.server import live_service


@contextlib.contextmanager
def service(data: Path | None = None) -> Iterator[tuple[int, int, float]]:
    """Start it, on a data folder or a new one, and wait: (port, process id, seconds until ready)."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        with live_service(data or Path(folder, "data"), Path(folder, "log")) as started:
            yield started.port, started.process.pid, time.perf_counter() - start
