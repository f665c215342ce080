"""A `lookalike serve` for the benches, in a process of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

COMMAND = Path(sys.executable).with_name("lookalike")


@contextlib.contextmanager
def service(data: Path | None = None) -> Iterator[tuple[int, int, float]]:
    """Start it, on a data folder or a new one, and wait: (port, process id, seconds until ready)."""
    with tempfile.TemporaryDirectory() as folder, Path(folder, "log").open("wb") as log:
        port, start = _free_port(), time.perf_counter()
        process = subprocess.Popen(
            [COMMAND, "serve", "--port", str(port), "--data", data or f"{folder}/data"],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=os.environ | {"BENTOML_DO_NOT_TRACK": "True"},
        )
        try:
            _wait(port, process)
            yield port, process.pid, time.perf_counter() - start
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=30).status_code == 200:
                return
        time.sleep(0.05)
    raise RuntimeError("the service ended before it was ready")
