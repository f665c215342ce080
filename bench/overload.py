"""Ten times more than can be done: what is still done, how long the accepted wait, and who goes first.

Capacity is measured with clients who wait for their answers; then requests are offered at ten times that,
whatever becomes of them, by twenty callers with one image in each request and one with sixteen in each. The
clients have the same cores as the service, so the rate is also given for the cores that they left it. The
batches are bulk, which may wait for LOOKALIKE_MAX_BULK_SECONDS.
"""

from __future__ import annotations

import os
import statistics
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench import load
from bench.open_loop import Offered, Stream, offer, percentile
from bench.pictures import jpegs
from bench.service import service
from lookalike import Lookalike

TIMES, SECONDS, SETTLE = 10, 16.0, 6.0
"""How much is offered, for how long, and after how long what is measured counts."""

BATCH, CLIENTS, INDEXED = 16, 32, 500
SEARCHES_PER_SECOND = 5.0
SMALL = "single"
LARGE = "batch"


@dataclass(frozen=True)
class Requests:
    """Prepared requests of each kind."""

    single: list[bytes]
    batch: list[bytes]
    search: list[bytes]


def run() -> dict[str, float]:
    images = jpegs()
    requests = Requests(
        [load.request("/v1/embed", image) for image in images],
        [_multipart(images[i : i + BATCH]) for i in range(0, len(images), BATCH)],
        [load.request("/v1/collections/bench/search", image) for image in images],
    )
    with service() as (port, _, _):
        with Lookalike(f"http://127.0.0.1:{port}") as client:
            collection = client.create_collection("bench")
            for first in range(0, INDEXED, 50):
                several = [(f"{first + i}", images[i % len(images)]) for i in range(50)]
                collection.add([image for _, image in several], ids=[id for id, _ in several])
        load.run(port, requests.single, clients=CLIENTS, total=300)
        figures = flooded(port, requests)
        return figures | priority(port, requests)


def flooded(port: int, requests: Requests) -> dict[str, float]:
    """Goodput and latencies at TIMES the capacity, against the same service at rest."""
    closed = [load.run(port, requests.single, clients=CLIENTS, total=400) for _ in range(3)]
    capacity = statistics.median(one.rate for one in closed)
    alone = load.run(port, requests.single, clients=1, total=200).latencies
    batches = load.run(port, requests.batch, clients=1, total=40).latencies
    singles = Stream(SMALL, requests.single, TIMES * capacity / 2, callers=20)
    large = Stream(
        LARGE, requests.batch, TIMES * capacity / 2 / BATCH, BATCH, callers=1, first_caller=200
    )
    all_single = Stream(SMALL, requests.single, TIMES * capacity, callers=20)
    figures: dict[str, float] = {"capacity images/s": capacity}
    for name, streams in (("singles", [all_single]), ("mixed", [singles, large])):
        found = offer(port, streams, SECONDS)
        figures |= {f"{name}: {k}": v for k, v in _goodput(found, capacity, closed).items()}
        rests = {SMALL: alone, LARGE: batches}
        for kind in {stream.kind for stream in streams}:
            accepted, rest = found.of(kind, since=SETTLE), percentile(rests[kind], 0.99)
            figures |= {
                f"{name}: {kind} p99 ms at rest": 1000 * rest,
                f"{name}: {kind} p99 ms of accepted": 1000 * percentile(accepted, 0.99),
                f"{name}: {kind} p99 accepted / at rest (target <= 3)": percentile(accepted, 0.99)
                / rest,
            }
        refused = found.of(SMALL, 429, since=SETTLE)
        figures[f"{name}: 429 p50 ms"] = 1000 * percentile(refused, 0.5)
        figures[f"{name}: answers but 200 and 429"] = sum(
            answer.status not in {200, 429} for answer in found.answers
        )
    return figures


def _goodput(found: Offered, capacity: float, closed: list[load.Load]) -> dict[str, float]:
    goodput = found.images(since=SETTLE, until=SECONDS)
    cores = len(os.sched_getaffinity(0))
    before = statistics.median(one.cores for one in closed)
    left = (cores - found.cores) / (cores - before)
    return {
        "goodput / capacity (target >= 0.9)": goodput / capacity,
        "goodput / capacity on the cores that the clients left": goodput / capacity / left,
        "cores of the clients": found.cores,
    }


def priority(port: int, requests: Requests) -> dict[str, float]:
    """Searches by image, alone and while one caller keeps four batches of images waiting."""
    searches = [Stream("search", requests.search, SEARCHES_PER_SECOND)]
    alone = offer(port, searches, SECONDS)
    with _indexing(port, requests):
        beside = offer(port, searches, SECONDS)
    figures: dict[str, float] = {}
    for share in (0.5, 0.99):
        rest, busy = (percentile(one.of("search", since=1.0), share) for one in (alone, beside))
        name = f"search p{100 * share:.0f}"
        figures |= {
            f"{name} ms alone": 1000 * rest,
            f"{name} ms beside bulk": 1000 * busy,
            f"{name} beside bulk / alone": busy / rest,
        }
    return figures


@contextmanager
def _indexing(port: int, requests: Requests) -> Iterator[None]:
    """Four clients that post batches one after the other; those refused come again."""
    stop = threading.Event()

    def post() -> None:
        while not stop.is_set():
            load.run(port, requests.batch, clients=4, total=8, refusals=True)

    thread = threading.Thread(target=post)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _multipart(images: list[bytes]) -> bytes:
    parts = b"".join(
        b'--b\r\nContent-Disposition: form-data; name="images"; filename="i.jpg"\r\n'
        b"Content-Type: image/jpeg\r\n\r\n" + image + b"\r\n"
        for image in images
    )
    return load.request("/v1/embed", parts + b"--b--\r\n", "multipart/form-data; boundary=b")
