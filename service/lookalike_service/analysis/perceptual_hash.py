"""Sixty-four bits by which pictures are recognised that were saved anew, scaled or slightly altered.

The hash of C. Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010, as the
Python package imagehash computes it (`phash`): the signs, about their median, of the 8 × 8 lowest
frequencies of the picture in grey at 32 × 32.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SIDE, _FREQUENCIES = 32, 8
_WAVES = 2 * np.cos(
    np.pi / (2 * _SIDE) * np.arange(_FREQUENCIES)[:, None] * (2 * np.arange(_SIDE) + 1)
)
"""The lowest frequencies of the discrete cosine transform (type II), (frequencies, side)."""
_ROUNDED = 6  # decimals: a picture of one colour has no waves but rounding


def perceptual_hash(rgb: NDArray[np.uint8]) -> int:
    """The hash of a picture, uint8 (height, width, 3): 0 to 2⁶⁴ - 1. Alike ones differ in few bits."""
    small = Image.fromarray(rgb).convert("L").resize((_SIDE, _SIDE), Image.Resampling.LANCZOS)
    waves = np.round(_WAVES @ np.asarray(small, dtype=np.float64) @ _WAVES.T, _ROUNDED)
    signs = waves > np.median(waves)
    return int.from_bytes(np.packbits(signs).tobytes(), "big")


def as_text(bits: int) -> str:
    """The hash as 16 hexadecimal digits."""
    return f"{bits:016x}"


def from_text(text: str) -> int:
    """The hash of `as_text`."""
    return int(text, 16)
