"""What a Grad-CAM map costs on top of its embedding."""

from __future__ import annotations

import statistics
import time

import numpy as np

from bench.pictures import jpegs
from lookalike_service.encoders.registry import load_encoder
from lookalike_service.explain.gradcam import self_map
from lookalike_service.images import Limits, decode
from lookalike_service.settings import Settings

ROUNDS, BATCH = 15, 16


def run() -> dict[str, float]:
    settings = Settings()
    encoder = load_encoder(settings.model, settings)
    limits = Limits(settings.max_image_bytes, settings.max_image_pixels)
    pixels = np.stack(
        [encoder.preprocess(decode(image, limits).rgb) for image in jpegs(count=BATCH)]
    )

    def embed() -> None:
        encoder.encode(pixels)

    def embed_and_explain() -> None:
        encoded = encoder.encode(pixels, features=True)
        assert encoded.features is not None
        for features in encoded.features:
            self_map(features)

    ratios = []
    for _ in range(ROUNDS + 3):
        plain = _seconds(embed)
        ratios.append(_seconds(embed_and_explain) / plain)
    return {"embedding + map / embedding (target <= 1.3)": statistics.median(ratios[3:])}


def _seconds(work: object) -> float:
    start = time.perf_counter()
    work()  # type: ignore[operator]
    return time.perf_counter() - start
