"""Single-image posts by 32 clients, against decode + model as a plain offline loop on the same cores."""

from __future__ import annotations

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

ROUNDS, IMAGES, CLIENTS = 5, 400, 32
BATCHES = (1, 2, 4, 8, 16, 32, 64)


def offline(encoder: Encoder, images: list[bytes], batch: int, count: int) -> float:
    """Images per second of: decode a batch in threads, then run the model on it."""
    settings = Settings()
    limits = Limits(settings.max_image_bytes, settings.max_image_pixels)

    def prepare(number: int) -> np.ndarray:
        return encoder.preprocess(decode(images[number % len(images)], limits).rgb)

    with ThreadPoolExecutor(settings.decode_threads) as threads:
        start = time.perf_counter()
        for first in range(0, count, batch):
            pixels = list(threads.map(prepare, range(first, min(first + batch, count))))
            encoder.encode(np.stack(pixels))
        return count / (time.perf_counter() - start)


def run() -> dict[str, float]:
    images = jpegs()
    encoder = load_encoder(Settings().model, Settings())
    offline(encoder, images, 8, 64)
    rates = {batch: offline(encoder, images, batch, 192) for batch in BATCHES}
    best = max(rates, key=lambda batch: rates[batch])
    requests = [load.request("/v1/embed", image) for image in images]
    ratios, alone, served, lone = [], [], [], []
    with service() as (port, _, _):
        load.run(port, requests, clients=CLIENTS, total=IMAGES)
        for _ in range(ROUNDS):
            alone.append(offline(encoder, images, best, IMAGES))
            served.append(load.run(port, requests, clients=CLIENTS, total=IMAGES).rate)
            ratios.append(served[-1] / alone[-1])
        lone = load.run(port, requests, clients=1, total=100).latencies
    return {
        "offline images/s": statistics.median(alone),
        "offline best batch": best,
        "http images/s, 32 clients": statistics.median(served),
        "http / offline (target >= 0.8)": statistics.median(ratios),
        "lone request p50 ms": statistics.median(lone) * 1000,
    }
