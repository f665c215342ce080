"""`lookalike serve` in a process of its own, for the demo, the benches and the end-to-end tests."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lookalike import Lookalike, LookalikeError

COMMAND = str(Path(sys.executable).with_name("lookalike"))
START_SECONDS = 180


class ServiceDidNotStart(Exception):
    """Tells what the service said last."""


@dataclass(frozen=True)
class LiveService:
    """Where it answers, its process, and the file with what it says."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def live_service(
    data: Path, log: Path, command: Sequence[str] = (COMMAND, "serve"), port: int | None = None
) -> Iterator[LiveService]:
    """Start it on this or a free port, wait until it is ready, stop it at the end.

    `{port}` in the command is the port. Raises ServiceDidNotStart.
    """
    port = port or free_port()
    environment = os.environ | {
        "LOOKALIKE_PORT": str(port),
        "LOOKALIKE_DATA": str(data),
        "BENTOML_DO_NOT_TRACK": "True",
    }
    with log.open("ab") as output:
        process = subprocess.Popen(
            [part.format(port=port) for part in command],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    service = LiveService(port, process, log)
    try:
        wait_until_ready(service)
        yield service
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_until_ready(service: LiveService) -> None:
    """Return when it answers that it is ready. Raises ServiceDidNotStart."""
    deadline = time.monotonic() + START_SECONDS
    with Lookalike(service.url, retries=0) as client:
        while time.monotonic() < deadline and service.process.poll() is None:
            with contextlib.suppress(LookalikeError):
                client.ready()
                return
            time.sleep(0.05)
    said = service.log.read_text()[-4000:]
    raise ServiceDidNotStart(f"The service did not start; see {service.log}:\n{said}")
