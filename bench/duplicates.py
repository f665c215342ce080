"""Looking for duplicates among 100,000 vectors on two cores, all at once and after a thousand more."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.vectors import clustered
from lookalike_service.analysis.duplicates.analyse import compare, gather
from lookalike_service.analysis.progress import silent

IMAGES, NEW, COPIES = 100_000, 1_000, 5_000
NEAR, VARIANT, BITS = 0.9, 0.95, 10


def run() -> dict[str, float]:
    return {**_measured(512), **_measured(1280)}


def _measured(dim: int) -> dict[str, float]:
    arrays, known = _library(dim)
    whole, seconds = _compared(arrays, 0, IMAGES)
    _, more = _compared(arrays, IMAGES - NEW, IMAGES)
    start = time.perf_counter()
    content = np.arange(IMAGES, dtype=np.int32)
    pairs = {name: whole[name] for name in ("first", "second", "cosine", "bits")}
    _, figures = gather(
        {**pairs, "content": content, "rank": content}, {"near": NEAR, "bits": BITS}, silent
    )
    found = set(zip(whole["first"].tolist(), whole["second"].tolist(), strict=True))
    return {
        f"duplicates_{dim}_s": seconds,
        f"duplicates_{dim}_new_{NEW}_s": more,
        f"duplicates_{dim}_grouping_s": time.perf_counter() - start,
        f"duplicates_{dim}_pairs": len(found),
        f"duplicates_{dim}_groups": figures["groups"],
        f"duplicates_{dim}_recall": len(found & known) / len(known),
    }


def _library(dim: int) -> tuple[Mapping[str, NDArray[Any]], set[tuple[int, int]]]:
    """Vectors of which the last are copies with noise, and the pairs of copy and original."""
    rng = np.random.default_rng(0)
    vectors = clustered(IMAGES, dim)
    hashes = rng.integers(2**63, size=IMAGES, dtype=np.uint64)
    originals = rng.choice(IMAGES - COPIES, COPIES, replace=False)
    noise = 0.2 * rng.standard_normal((COPIES, dim), np.float32) / np.sqrt(dim)
    vectors[-COPIES:] = vectors[originals] + noise
    vectors[-COPIES:] /= np.linalg.norm(vectors[-COPIES:], axis=1, keepdims=True)
    hashes[-COPIES:] = hashes[originals] ^ np.uint64(0b101)
    known = set(zip(originals.tolist(), range(IMAGES - COPIES, IMAGES), strict=True))
    return {
        "vectors": vectors,
        "rows": np.arange(IMAGES),
        "hashes": hashes,
        "hashed": np.ones(IMAGES, bool),
    }, known


def _compared(
    arrays: Mapping[str, NDArray[Any]], start: int, stop: int
) -> tuple[dict[str, NDArray[Any]], float]:
    began = time.perf_counter()
    span = {"start": start, "stop": stop, "begin": start, "end": stop}
    found, _ = compare(arrays, {"near": NEAR, "variant": VARIANT, "bits": BITS, **span}, silent)
    return found, time.perf_counter() - began
