"""Single-image posts by 32 clients, against decode + model as a plain offline loop on the same cores.

Offline, a batch is decoded in threads, then the model runs on it, at the batch size that suits it best.
"""

from __future__ import annotations

import os
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from bench import load
from bench.pictures import jpegs
from bench.service import service
from lookalike_service.encoders.protocol import Encoder
from lookalike_service.encoders.registry import load_encoder
from lookalike_service.images import Limits, decode
from lookalike_service.settings import Settings

ROUNDS, IMAGES, CLIENTS = 7, 400, 32
BATCHES = (2, 4, 8, 16, 32, 64)
SIZES = {(500, 375): 0.8, (1024, 768): 0.9}
"""Width and height of the JPEGs, and the target for HTTP by offline."""


def offline(encoder: Encoder, images: list[bytes], batch: int, count: int) -> float:
    """Images per second of: decode a batch in threads, then run the model on it."""
    settings = Settings()
    limits = Limits(settings.max_image_bytes, settings.max_image_pixels)

    def prepare(number: int) -> np.ndarray:
        image = decode(images[number % len(images)], limits, shorter=encoder.info.decode_shorter)
        return encoder.preprocess(image.rgb)

    with ThreadPoolExecutor(settings.decode_threads) as threads:
        start = time.perf_counter()
        for first in range(0, count, batch):
            pixels = list(threads.map(prepare, range(first, min(first + batch, count))))
            encoder.encode(np.stack(pixels))
        return count / (time.perf_counter() - start)


def run() -> dict[str, float]:
    encoder = load_encoder(Settings().model, Settings())
    figures: dict[str, float] = {}
    with service() as (port, _, _):
        for (width, height), target in SIZES.items():
            found = compare(encoder, port, jpegs(width, height))
            figures |= {f"{width}x{height} {name}": value for name, value in found.items()}
            figures[f"{width}x{height} target for http / offline"] = target
    return figures


def compare(encoder: Encoder, port: int, images: list[bytes]) -> dict[str, float]:
    offline(encoder, images, 8, 64)
    rates = {batch: offline(encoder, images, batch, 192) for batch in BATCHES}
    best = max(rates, key=lambda batch: rates[batch])
    requests = [load.request("/v1/embed", image) for image in images]
    load.run(port, requests, clients=CLIENTS, total=IMAGES)
    alone, served = [], []
    for _ in range(ROUNDS):
        alone.append(offline(encoder, images, best, IMAGES))
        served.append(load.run(port, requests, clients=CLIENTS, total=IMAGES))
    cores = len(os.sched_getaffinity(0))
    lone = load.run(port, requests, clients=1, total=100).latencies
    return {
        "offline images/s": statistics.median(alone),
        "offline best batch": best,
        "http images/s, 32 clients": statistics.median(one.rate for one in served),
        "http / offline": statistics.median(b.rate / a for a, b in zip(alone, served, strict=True)),
        "http / offline on the cores that the clients left": statistics.median(
            b.rate / a * cores / (cores - b.cores) for a, b in zip(alone, served, strict=True)
        ),
        "lone request p50 ms": statistics.median(lone) * 1000,
    }
