"""Bulk indexing against its ceilings: the decoding of the same files alone, and the model alone.

`BENCH_IMAGES=1000` makes it shorter. The memory of a run is taken on small pictures and a trivial encoder, so
that 50,000 of them take minutes: it is the pipeline's own, which knows neither.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil

from bench.pictures import jpegs
from bench.service import service
from examples.demo.server import COMMAND
from lookalike import Lookalike
from lookalike_indexer.indexing import index_into
from lookalike_indexer.report import IndexReport
from lookalike_indexer.stages import Stages
from lookalike_indexer.targets import ServiceTarget, Target
from lookalike_service.direct.target import open_target
from lookalike_service.encoders.plans.process import tune_process
from lookalike_service.encoders.protocol import Encoder
from lookalike_service.encoders.registry import load_encoder
from lookalike_service.images import Limits, decode, thumbnail
from lookalike_service.settings import Settings

IMAGES = int(os.environ.get("BENCH_IMAGES", "5000"))
SIZES = ((320, 240), (500, 375), (500, 375), (640, 480), (1024, 768))
ROUNDS, WARM_UP, SAMPLE, BATCH = 5, 200, 400, 32
FEW, MANY = 1000, int(os.environ.get("BENCH_MANY", "50000"))


def folder(root: Path, sources: list[bytes], count: int, first: int = 0) -> Path:
    """Files that all differ, by a comment (JPEG's COM segment) after the first marker."""
    for i in range(first, first + count):
        path = root / f"{i % 50:02}" / f"{i:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        data, comment = sources[i % len(sources)], b"%016d" % i
        path.write_bytes(data[:2] + b"\xff\xfe\x00\x12" + comment + data[2:])
    return root


def mixed() -> list[bytes]:
    """JPEGs of the sizes of SIZES."""
    return [image for size in SIZES for image in jpegs(*size, count=24)]


# -- what each stage can do alone


def decode_rate(encoder: Encoder, files: list[Path], settings: Settings) -> float:
    """Files per second read, decoded, scaled and made thumbnails of, by all decode threads."""
    limits = Limits(settings.max_image_bytes, settings.max_image_pixels)

    def prepare(path: Path) -> None:
        image = decode(path.read_bytes(), limits, shorter=encoder.info.decode_shorter)
        encoder.preprocess(image.rgb)
        thumbnail(image.rgb)

    with ThreadPoolExecutor(settings.decode_threads) as threads:
        start = time.perf_counter()
        list(threads.map(prepare, files))
        return len(files) / (time.perf_counter() - start)


def model_rate(encoder: Encoder, count: int) -> float:
    """Images per second in full passes, as many at once as the encoder has streams, and one."""
    plan = encoder.info.plan
    size = (plan.batch_size if plan is not None else None) or BATCH
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (size, *encoder.info.input_size, 3), np.uint8)
    with ThreadPoolExecutor(1 + (plan.streams if plan is not None else 1)) as threads:
        start = time.perf_counter()
        passes = count // size
        list(threads.map(lambda _: encoder.encode(pixels), range(passes)))
        return passes * size / (time.perf_counter() - start)


# -- whole runs


@contextlib.contextmanager
def direct(data: Path) -> Iterator[Target]:
    target = open_target("bench", data=str(data), qdrant_url=None, model=None, stages=Stages())
    yield target
    target.close()


def indexed(target: Target, pictures: Path, count: int) -> IndexReport:
    report = index_into(target, [pictures], progress=None)
    assert (report.created, report.failed) == (count, 0), report
    return report


def run() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        os.environ["XDG_STATE_HOME"] = str(root / "state")
        return speed(root) | memory(root)


def speed(root: Path) -> dict[str, float]:
    """In turns, so that what else the machine does slows all alike; ratios within a turn."""
    sources, settings, count = mixed(), Settings(), IMAGES // ROUNDS
    parts = [folder(root / f"pictures{i}", sources, count, first=i * count) for i in range(ROUNDS)]
    warm_up = folder(root / "warm-up", sources, WARM_UP, first=IMAGES)
    tune_process()
    encoder = load_encoder(settings.model, settings)
    rounds: list[dict[str, float]] = []
    with contextlib.ExitStack() as stack:
        alone = stack.enter_context(direct(root / "data"))
        port, _, _ = stack.enter_context(service())
        client = stack.enter_context(Lookalike(f"http://127.0.0.1:{port}"))
        served = ServiceTarget(client.collection("bench"))
        model_rate(encoder, WARM_UP)
        for target in (alone, served):
            indexed(target, warm_up, WARM_UP)
        for part in parts:
            files = sorted(part.rglob("*.jpg"))
            rounds.append(
                {
                    "decode": decode_rate(encoder, files[:SAMPLE], settings),
                    "model": model_rate(encoder, SAMPLE),
                    "direct": count / indexed(alone, part, count).seconds,
                    "service": count / indexed(served, part, count).seconds,
                }
            )
            print(rounds[-1], flush=True)
        start = time.perf_counter()
        assert index_into(served, parts, progress=None).skipped == count * ROUNDS
        served_again = time.perf_counter() - start
    first = {way: sum(count / each[way] for each in rounds) for way in ("direct", "service")}
    return {
        **{f"{way} images/s": _median(each[way] for each in rounds) for way in rounds[0]},
        "direct / min(decode, model) (target >= 0.9)": _median(
            each["direct"] / min(each["decode"], each["model"]) for each in rounds
        ),
        "direct / both on the same cores, 1 / (1/decode + 1/model)": _median(
            each["direct"] * (1 / each["decode"] + 1 / each["model"]) for each in rounds
        ),
        "service / direct (target >= 0.8)": _median(
            each["service"] / each["direct"] for each in rounds
        ),
        "direct first / again with start-up (target >= 20)": first["direct"]
        / rerun(root / "data", parts),
        "service first / again (target >= 20)": first["service"] / served_again,
    }


def _median(values: Iterable[float]) -> float:
    return statistics.median(values)


def rerun(data: Path, folders: list[Path]) -> float:
    """Seconds of the whole command over unchanged folders."""
    arguments = [*map(str, folders), "-c", "bench", "--direct", "--data", str(data), "--json"]
    start = time.perf_counter()
    done = subprocess.run([COMMAND, "index", *arguments], check=True, capture_output=True)
    seconds = time.perf_counter() - start
    assert json.loads(done.stdout.splitlines()[-1])["skipped"] == IMAGES // ROUNDS * ROUNDS
    return seconds


def memory(root: Path) -> dict[str, float]:
    """Of the indexer's own process; those of the store hold the vectors, which are more with more images."""
    small = jpegs(48, 36, count=48)
    pictures = folder(root / "small", small, MANY)
    environment = os.environ | {"LOOKALIKE_MODEL": "pixels:8x8-grey"}
    data = str(root / "small-data")
    arguments = [str(pictures), "-c", "small", "--direct", "--data", data, "--json"]
    sizes: list[tuple[int, int]] = []
    with subprocess.Popen(
        [COMMAND, "index", *arguments], env=environment, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "progress":
                sizes.append((event["done"], psutil.Process(process.pid).memory_info().rss))
            else:
                assert event["created"] == MANY, event
    after_few = [rss for done, rss in sizes if done >= FEW]
    return {
        f"MiB after {FEW} images": after_few[0] / 2**20,
        f"largest MiB until {MANY} images": max(after_few) / 2**20,
        f"largest / after {FEW} (target <= 1.1)": max(after_few) / after_few[0],
    }
