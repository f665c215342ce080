"""kill -9 at random moments of upserts, labelling and building graphs, all at once.

LOOKALIKE_KILLS says how many times; 50 and more take minutes.
"""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil

from tests.e2e.store_worker import BASE, BATCH, DIM, made, opened

KILLS = int(os.environ.get("LOOKALIKE_KILLS", "4"))


def test_nothing_acknowledged_is_lost_by_killing_any_process_at_any_time(tmp_path: Path) -> None:
    draw = random.Random(KILLS)  # noqa: S311 (reproducible)
    acknowledged = list(range(BASE))
    first, labels = BASE, set[int]()
    for _ in range(KILLS):
        said = killed_worker(tmp_path / "data", first, draw)
        for words in said:
            if words[0] == "upsert":
                acknowledged += range(int(words[1]), int(words[1]) + int(words[2]))
            elif words[0] == "label":
                labels = {int(words[1])}
            elif words[0] == "begin":
                labels |= {int(words[2])}  # it may have come to pass, or not
        first = acknowledged[-1] + 1 + BATCH
        check(tmp_path / "data", acknowledged, labels)


def killed_worker(folder: Path, first: int, draw: random.Random) -> list[list[str]]:
    """What a worker said until it, or first one of its engine's processes, was killed."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.store_worker", str(folder), str(first)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
        time.sleep(draw.uniform(0.05, 2))
        if draw.random() < 0.6:
            engines = psutil.Process(worker.pid).children(recursive=True)
            with contextlib.suppress(psutil.NoSuchProcess):  # it had done its work
                draw.choice(engines).kill()
            time.sleep(draw.uniform(0, 1))
        worker.kill()
        # What was said is in the pipe; a last line may be cut short.
        lines = worker.stdout.read().split("\n")[:-1]
    return [line.split() for line in lines]


def check(folder: Path, acknowledged: list[int], labels: set[int]) -> None:
    store = opened(folder)
    written = [id for ids, _ in store.vectors("c") for id in ids]
    assert len(written) == len(set(written)) == store.count("c")
    points = [made(seed) for seed in acknowledged]
    records = store.retrieve("c", [point.id for point in points], vectors=True)
    assert [record.payload["key"] for record in records] == [str(seed) for seed in acknowledged]
    rows = np.array([record.vector for record in records])
    np.testing.assert_allclose(rows, [point.vector for point in points], atol=1e-6)
    assert rows.shape == (len(acknowledged), DIM)
    found = {record.payload.get("clusters", {}).get("k", -1) for record in records[:BASE]}
    assert len(found) == 1
    assert found <= (labels or {-1})
    store.close()
    assert len(list((folder / "indexed").iterdir())) <= 1
    assert not [path for path in folder.rglob("*") if path.name.startswith(".")]
