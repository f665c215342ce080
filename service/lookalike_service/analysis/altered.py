"""Pictures altered as pictures are on their way: saved anew, scaled, trimmed."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_QUALITY = 50
_SCALE = 2 / 3
_TRIMMED = 0.04


def alterations(rgb: NDArray[np.uint8]) -> list[bytes]:
    """A picture, uint8 (height, width, 3), as three files.

    A JPEG of quality 50; a PNG of two thirds of its width and height; a PNG without 4 % at each edge.
    """
    picture = Image.fromarray(rgb)
    width, height = picture.size
    smaller = (max(1, round(width * _SCALE)), max(1, round(height * _SCALE)))
    across, down = int(width * _TRIMMED), int(height * _TRIMMED)
    trimmed = picture.crop((across, down, width - across, height - down))
    return [
        _saved(picture, "JPEG", quality=_QUALITY),
        _saved(picture.resize(smaller, Image.Resampling.BICUBIC), "PNG"),
        _saved(trimmed, "PNG"),
    ]


def _saved(picture: Image.Image, format: str, **options: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()
