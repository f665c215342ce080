"""A program that writes to an embedded store until it is killed, and says what was acknowledged.

`python -m tests.e2e.store_worker FOLDER FIRST`: from seed FIRST on it upserts points, labels the
first BASE of them all alike, and has graphs built, all at once. Lines `upsert SEED COUNT` and
`label VALUE` come after the store's acknowledgement, `begin ...` before the call.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from lookalike_service.errors import StoreUnavailable
from lookalike_service.spaces import Space
from lookalike_service.store.embedded import EmbeddedStore
from lookalike_service.store.options import EmbeddedOptions
from lookalike_service.store.protocol import Point, point_id
from tests.contract.stores import collection, vector

DIM = 16
BASE = 300
BATCH = 7
INDEX_FROM = 300
SPACE = Space("fake", "weights-1", "avg", "16x16", DIM)
T = TypeVar("T")


def opened(folder: Path) -> EmbeddedStore:
    return EmbeddedStore(folder, EmbeddedOptions(index_from=INDEX_FROM), settle=1e9)


def made(seed: int) -> Point:
    return Point(point_id(str(seed)), vector(seed, DIM), {"key": str(seed)})


def persistent(call: Callable[[], T]) -> T:
    """Call again until the store answers: 503 means try again."""
    while True:
        try:
            return call()
        except StoreUnavailable:
            time.sleep(0.001)


def main() -> None:
    folder, first = Path(sys.argv[1]), int(sys.argv[2])
    store = opened(folder)
    persistent(lambda: store.create_collection(collection("c", SPACE)))
    base = [made(seed) for seed in range(BASE)]
    if first == BASE:
        persistent(lambda: store.upsert("c", base))
    ids = [point.id for point in base]

    def say(*words: object) -> None:
        sys.stdout.write(" ".join(map(str, words)) + "\n")
        sys.stdout.flush()

    def upsert() -> None:
        for seed in range(first, 10**9, BATCH):
            points = [made(each) for each in range(seed, seed + BATCH)]
            persistent(partial(store.upsert, "c", points))
            say("upsert", seed, BATCH)

    def label() -> None:
        for value in range(first, 10**9):
            say("begin label", value)
            persistent(
                partial(store.write_labels, "c", "k", ids, np.full(BASE, value), replace=True)
            )
            say("label", value)
            time.sleep(0.01)

    def build() -> None:
        while True:
            persistent(lambda: store.optimize("c"))

    say("ready")
    for work in (upsert, label, build):
        threading.Thread(target=work).start()


if __name__ == "__main__":
    main()
