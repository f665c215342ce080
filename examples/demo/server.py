"""The service for the demo, in a process of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from lookalike import Lookalike, LookalikeError

LIMIT_SECONDS = 180


@contextlib.contextmanager
def running(data: Path, log: Path) -> Iterator[Lookalike]:
    """Start `lookalike serve` on a free port, and stop it at the end."""
    port = _free_port()
    lookalike = str(Path(sys.executable).with_name("lookalike"))
    command = [lookalike, "serve", "--port", str(port), "--data", str(data)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | {"BENTOML_DO_NOT_TRACK": "True"},
        )
    try:
        with Lookalike(f"http://127.0.0.1:{port}", retries=0) as client:
            _wait(client, process, log)
        with Lookalike(f"http://127.0.0.1:{port}") as client:
            yield client
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _wait(client: Lookalike, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.exit(f"The service could not start; see {log}:\n{log.read_text()[-2000:]}")
        with contextlib.suppress(LookalikeError):
            client.ready()
            return
        time.sleep(0.1)
    sys.exit(f"The service was not ready in {LIMIT_SECONDS} s; see {log}.")
