"""What serving costs beside the encoder: requests per second of three servers of the same trivial encoder.

Plain Starlette with a micro-batcher of its own is the ceiling; LitServe is a framework for the same purpose
(`uv pip install litserve`; left out, and said so, where it is not installed). They run at the same time and
are loaded in turns, so that all see the same noise.
"""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench import load
from bench.pictures import jpegs
from bench.trivial_encoder import SIZE
from examples.demo.server import free_port

ROUNDS, REQUESTS, CLIENTS = 9, 600, 32
START_SECONDS = 60


@contextlib.contextmanager
def server(module: str, probe: bytes) -> Iterator[int]:
    """Start `python -m module` on a free port and wait until it answers this request with 200."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        variables = {"LOOKALIKE_PORT": str(port), "LOOKALIKE_DATA": str(Path(folder, "data"))}
        with Path(folder, "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", module],
                env=os.environ | variables,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            _wait(process, port, probe, Path(folder, "log"))
            yield port
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # LitServe leaves its workers behind


def _wait(process: subprocess.Popen[bytes], port: int, probe: bytes, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError, RuntimeError, EOFError):
            load.run(port, [probe], clients=1, total=1)
            return
        time.sleep(0.2)
    raise RuntimeError(f"{process.args!r} did not start:\n{log.read_text()[-4000:]}")


def run() -> dict[str, float]:
    images = jpegs(SIZE, SIZE)
    raw = [load.request("/v1/embed", image) for image in images]
    as_json = [
        load.request(
            "/v1/embed",
            json.dumps({"image": base64.b64encode(image).decode()}).encode(),
            "application/json",
        )
        for image in images
    ]
    peers: dict[str, tuple[str, Sequence[bytes]]] = {
        "lookalike": ("bench.trivial_encoder", raw),
        "starlette": ("bench.plain_starlette", raw),
    }
    if importlib.util.find_spec("litserve"):
        peers["litserve"] = ("bench.litserve_server", as_json)
    else:
        print("litserve is not installed: left out", file=sys.stderr)
    with contextlib.ExitStack() as stack:
        ports = {
            name: stack.enter_context(server(module, requests[0]))
            for name, (module, requests) in peers.items()
        }
        return compare(ports, {name: requests for name, (_, requests) in peers.items()})


def compare(ports: dict[str, int], requests: dict[str, Sequence[bytes]]) -> dict[str, float]:
    rates: dict[str, list[float]] = {name: [] for name in ports}
    for number in range(1 + ROUNDS):
        for name, port in ports.items():
            found = load.run(port, requests[name], clients=CLIENTS, total=REQUESTS)
            if number:  # after one to warm up
                rates[name].append(found.rate)
    figures = {f"{name} requests/s": statistics.median(found) for name, found in rates.items()}
    for name, target in (("starlette", 0.5), ("litserve", 4.0)):
        if name in rates:
            ratios = [a / b for a, b in zip(rates["lookalike"], rates[name], strict=True)]
            figures[f"lookalike / {name} (target >= {target:g})"] = statistics.median(ratios)
    return figures
