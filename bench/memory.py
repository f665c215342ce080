"""Whether the service's memory stays flat over ten thousand requests."""

from __future__ import annotations

import psutil

from bench import load
from bench.pictures import jpegs
from bench.service import service

WARM_UP, REQUESTS, STEPS = 1000, 10_000, 10


def run() -> dict[str, float]:
    requests = [load.request("/v1/embed", image) for image in jpegs()]
    with service() as (port, pid, _):
        load.run(port, requests, clients=32, total=WARM_UP)
        process = psutil.Process(pid)
        sizes = [_resident(process)]
        for _ in range(STEPS):
            load.run(port, requests, clients=32, total=REQUESTS // STEPS)
            sizes.append(_resident(process))
    return {
        "resident MiB after warm-up": sizes[0] / 2**20,
        "resident MiB after 10,000 requests": sizes[-1] / 2**20,
        "largest / after warm-up (target <= 1.05)": max(sizes) / sizes[0],
        "smallest / after warm-up (target >= 0.95)": min(sizes) / sizes[0],
    }


def _resident(process: psutil.Process) -> int:
    family = [process, *process.children(recursive=True)]
    total: int = sum(member.memory_info().rss for member in family)
    return total
