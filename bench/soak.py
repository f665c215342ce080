"""At capacity with one broken image in a hundred: no answer but 200 and the image's own error, flat memory.

`python -m bench soak --minutes 60`; two by default. A line a minute on standard error.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence

import numpy as np
import psutil

from bench import load
from bench.pictures import jpegs
from bench.service import service

CLIENTS, POISON_EVERY, WARM_UP = 8, 100, 1000
LINE_SECONDS = 60.0


def run() -> dict[str, float]:
    minutes = float(os.environ.get("BENCH_SOAK_MINUTES", "2"))
    sound = [load.request("/v1/embed", image) for image in jpegs()]
    broken = [load.request("/v1/embed", image) for image in poison()]
    with service() as (port, pid, _):
        load.run(port, sound, clients=CLIENTS, total=WARM_UP)
        soak = Soak(port, psutil.Process(pid), sound, broken)
        asyncio.run(soak.run(60 * minutes))
    return soak.figures()


def poison() -> list[bytes]:
    """Files that each fail alone: cut off, damaged, a bomb, no image at all."""
    image = jpegs(count=1)[0]
    bomb = bytearray(image)
    at = bomb.index(b"\xff\xc0")
    bomb[at + 5 : at + 9] = b"\xff\xff\xff\xff"
    return [image[: len(image) // 2], b"\xff\xd8\xff" + bytes(500), bytes(bomb), b"<svg></svg>"]


class Soak:
    """Clients that post without pause, with one request in POISON_EVERY broken, and what was seen."""

    def __init__(
        self, port: int, process: psutil.Process, sound: Sequence[bytes], broken: Sequence[bytes]
    ) -> None:
        self._port, self._process = port, process
        self._sound, self._broken = sound, broken
        self.statuses: Counter[int] = Counter()
        self.latencies: list[float] = []
        self.memory: list[tuple[float, int]] = []
        self._number = self._wrong = self._lost = 0
        self.seconds = 0.0

    async def run(self, seconds: float) -> None:
        """Post for so long."""
        start = time.monotonic()
        end = start + seconds
        watch = asyncio.create_task(self._watch(start))
        await asyncio.gather(*(self._client(end) for _ in range(CLIENTS)))
        watch.cancel()
        self.seconds = time.monotonic() - start
        self._remember(start)

    def figures(self) -> dict[str, float]:
        """What was seen, with the slope of the memory and its uncertainty."""
        at, sizes = (np.array(column, float) for column in zip(*self.memory, strict=True))
        hours, mib = at / 3600, sizes / 2**20
        later = (
            hours > hours[-1] / 4
        )  # the first quarter still fills caches and the allocator's pools
        slope, error = _slope(hours[later], mib[later])
        return {
            "minutes": self.seconds / 60,
            "requests": float(self.statuses.total()),
            "images/s": self.statuses[200] / self.seconds,
            "5xx (target 0)": float(sum(n for s, n in self.statuses.items() if s >= 500)),
            "lost connections (target 0)": float(self._lost),
            "broken images answered otherwise than with 4xx (target 0)": float(self._wrong),
            "p50 ms": 1000 * statistics.median(self.latencies),
            "p99 ms": 1000 * float(np.quantile(self.latencies, 0.99)),
            "resident MiB at the end": float(mib[-1]),
            "MiB per hour after the first quarter": slope,
            "its standard error": error,
        }

    async def _client(self, end: float) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        while time.monotonic() < end:
            self._number += 1
            is_broken = self._number % POISON_EVERY == 0
            some = self._broken if is_broken else self._sound
            request = some[self._number // (POISON_EVERY if is_broken else 1) % len(some)]
            start = time.perf_counter()
            try:
                writer.write(request)
                status = await load.status(reader)
            except (OSError, asyncio.IncompleteReadError):
                self._lost += 1
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                continue
            self.latencies.append(time.perf_counter() - start)
            self.statuses[status] += 1
            self._wrong += is_broken and not 400 <= status < 500
        writer.close()

    async def _watch(self, start: float) -> None:
        following = LINE_SECONDS
        while True:
            self._remember(start)
            if time.monotonic() - start >= following:
                following += LINE_SECONDS
                self._say(start)
            await asyncio.sleep(2)

    def _remember(self, start: float) -> None:
        family = [self._process, *self._process.children(recursive=True)]
        resident = sum(member.memory_info().rss for member in family)
        self.memory.append((time.monotonic() - start, resident))

    def _say(self, start: float) -> None:
        minutes = (time.monotonic() - start) / 60
        answers = ", ".join(f"{status}: {n}" for status, n in sorted(self.statuses.items()))
        resident = self.memory[-1][1] / 2**20
        print(
            f"soak {minutes:5.1f} min  {answers}  lost: {self._lost}  {resident:.0f} MiB",
            file=sys.stderr,
            flush=True,
        )


def _slope(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Of the line of least squares, with its standard error."""
    slope, offset = np.polyfit(x, y, 1)
    left = y - (slope * x + offset)
    spread = np.sqrt((left**2).sum() / max(1, len(x) - 2) / ((x - x.mean()) ** 2).sum())
    return float(slope), float(spread)
