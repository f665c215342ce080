"""How long a lone image waits for company before its pass begins, fresh and after bursts.

The service's own measure: from being decoded to the beginning of its pass. Hours later cannot differ: what
begins a pass looks at what waits now and at no average of the past (`dispatcher.py`, and the test of it that
lets hours pass on a clock of its own).
"""

from __future__ import annotations

import urllib.request

from bench import load
from bench.pictures import jpegs
from bench.service import service

LONE, BURST, CLIENTS = 200, 2000, 64


def run() -> dict[str, float]:
    requests = [load.request("/v1/embed", image) for image in jpegs()]
    with service() as (port, _, _):
        fresh = waited(port, requests)
        load.run(port, requests, clients=CLIENTS, total=BURST)
        after = waited(port, requests)
    return {
        "lone image waits ms, fresh (target <= 5)": 1000 * fresh,
        "lone image waits ms, after a burst (target <= 5)": 1000 * after,
    }


def waited(port: int, requests: list[bytes]) -> float:
    """Mean seconds that each of LONE images, one after the other, waited."""
    before = _waits(port)
    load.run(port, requests, clients=1, total=LONE)
    after = _waits(port)
    return (after[0] - before[0]) / (after[1] - before[1])


def _waits(port: int) -> tuple[float, float]:
    """Seconds waited by all images so far, and their number."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    name = 'lookalike_stage_seconds_{}{{stage="wait"}}'
    return float(values[name.format("sum")]), float(values[name.format("count")])
