"""A real service in a process of its own, as `lookalike serve` starts it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

START_SECONDS = 120


@dataclass(frozen=True)
class LiveService:
    """Where it answers, and its process."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextlib.contextmanager
def live_service(folder: Path, command: list[str] | None = None) -> Iterator[LiveService]:
    """Start it on a free port with its data under `folder`, wait until it is ready, stop it at the end."""
    port, log = free_port(), folder / "service.log"
    environment = os.environ | {
        "LOOKALIKE_PORT": str(port),
        "LOOKALIKE_DATA": str(folder / "data"),
        "BENTOML_DO_NOT_TRACK": "True",
    }
    default = [str(Path(sys.executable).with_name("lookalike")), "serve"]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [part.format(port=port) for part in command or default],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    service = LiveService(f"http://127.0.0.1:{port}", process, log)
    try:
        _wait(service)
        yield service
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(service: LiveService) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if service.process.poll() is not None:
            raise RuntimeError(f"the service ended at once:\n{service.log.read_text()[-4000:]}")
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{service.url}/readyz", timeout=10).status_code == 200:
                return
        time.sleep(0.1)
    raise RuntimeError(f"not ready in {START_SECONDS} s:\n{service.log.read_text()[-4000:]}")
