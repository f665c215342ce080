"""Pictures to calibrate with: crops of the photographs that scikit-learn ships, and patterns."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_images

from lookalike_service.images import Pixels

CROPS, PATTERNS = 20, 4


def calibration_images(height: int, width: int) -> Pixels:
    """Uint8 (24, height, width, 3), the same on every machine: 20 crops of photographs, 4 patterns."""
    rng = np.random.default_rng(0)
    photographs = _photographs()
    crops = [_crop(photographs[i % len(photographs)], rng, (width, height)) for i in range(CROPS)]
    coarse = rng.integers(0, 256, (PATTERNS, 8, 8, 3), dtype=np.uint8)
    patterns = [
        np.asarray(Image.fromarray(cells).resize((width, height), resampling))
        for cells, resampling in zip(
            coarse, 2 * (Image.Resampling.NEAREST, Image.Resampling.BICUBIC), strict=True
        )
    ]
    return np.stack([*crops, *patterns])


@lru_cache(maxsize=1)
def _photographs() -> list[Pixels]:
    return [np.asarray(photograph) for photograph in load_sample_images().images]


def _crop(photograph: Pixels, rng: np.random.Generator, size: tuple[int, int]) -> NDArray[np.uint8]:
    """A square of a fifth to all of the photograph's height, somewhere in it, resized."""
    height, width, _ = photograph.shape
    side = int(rng.uniform(0.2, 1) * height)
    top, left = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
    square = Image.fromarray(photograph[top : top + side, left : left + side])
    return np.asarray(square.resize(size, Image.Resampling.BICUBIC))
