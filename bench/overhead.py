"""What serving costs beside the encoder: requests per second of three servers of the same trivial encoder.

Plain Starlette with a micro-batcher of its own is the ceiling; LitServe is a framework for the same purpose
(`uv pip install litserve`; left out, and said so, where it is not installed). They run at the same time and
are loaded in turns, so that all see the same noise. With pictures of the encoder's own size there is nothing
to decode: once as they are, once with 50 kB of metadata, the size of usual requests. With photographs
decoding weighs, which two of the three do in threads and LitServe in its worker.
"""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import json
import os
import random
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

CLIENTS = 32
METADATA_BYTES = 50_000
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
    peers = {"lookalike": "bench.trivial_encoder", "starlette": "bench.plain_starlette"}
    if importlib.util.find_spec("litserve"):
        peers["litserve"] = "bench.litserve_server"
    else:
        print("litserve is not installed: left out", file=sys.stderr)
    figures: dict[str, float] = {}
    with contextlib.ExitStack() as stack:
        probes = requests(jpegs(SIZE, SIZE, count=1))
        ports = {
            name: stack.enter_context(server(module, probes[name][0]))
            for name, module in peers.items()
        }
        small = jpegs(SIZE, SIZE)
        for kind, images, rounds, total in (
            ("small", small, 9, 600),
            ("50 kB", [with_metadata(image) for image in small], 9, 400),
            ("photographs", jpegs(), 5, 200),
        ):
            rates = measured(ports, requests(images), rounds, total)
            figures |= {f"{kind}: {name}": value for name, value in compared(rates).items()}
    return figures


def with_metadata(image: bytes) -> bytes:
    """The same JPEG with an application segment of METADATA_BYTES, as cameras write."""
    length = (METADATA_BYTES + 2).to_bytes(2, "big")
    segment = b"\xff\xef" + length + random.Random(0).randbytes(METADATA_BYTES)  # noqa: S311 - filler
    return image[:2] + segment + image[2:]


def requests(images: Sequence[bytes]) -> dict[str, list[bytes]]:
    """Each server's requests for these images."""
    raw = [load.request("/v1/embed", image) for image in images]
    bodies = [json.dumps({"image": base64.b64encode(image).decode()}).encode() for image in images]
    as_json = [load.request("/v1/embed", body, "application/json") for body in bodies]
    return {"lookalike": raw, "starlette": raw, "litserve": as_json}


def measured(
    ports: dict[str, int], requests: dict[str, list[bytes]], rounds: int, total: int
) -> dict[str, list[float]]:
    """Requests per second of each server in each round, after one to warm up."""
    rates: dict[str, list[float]] = {name: [] for name in ports}
    for number in range(1 + rounds):
        for name, port in ports.items():
            found = load.run(port, requests[name], clients=CLIENTS, total=total)
            if number:
                rates[name].append(found.rate)
    return rates


def compared(rates: dict[str, list[float]]) -> dict[str, float]:
    """Medians, and medians of the ratios within a round."""
    figures = {f"{name} requests/s": statistics.median(found) for name, found in rates.items()}
    for name, other, target in (
        ("lookalike", "starlette", " (target >= 0.5)"),
        ("lookalike", "litserve", " (target >= 4)"),
        ("starlette", "litserve", ""),
    ):
        if other in rates:
            ratios = [a / b for a, b in zip(rates[name], rates[other], strict=True)]
            figures[f"{name} / {other}{target}"] = statistics.median(ratios)
    return figures
