"""Preprocessing that keeps the whole picture, whatever its shape: resized to the input size as it is."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image as Pillow

from lookalike_service.images import Pixels, Region


@dataclass(frozen=True, slots=True)
class Squash:
    """Resize to `width / crop` × `height / crop` regardless of shape, take the centre, then normalise.

    With `crop` 1, the usual value, the whole picture is kept. `mean` and `std` are per channel, for samples
    in [0, 1].
    """

    height: int
    width: int
    interpolation: Literal["bicubic", "bilinear"]
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    crop: float = 1.0

    def __str__(self) -> str:
        """The canonical text that embedding spaces are told apart by."""
        mean, std = (",".join(f"{value:g}" for value in values) for values in (self.mean, self.std))
        return (
            f"rgb squash={self.width}x{self.height}/{self.crop:g} {self.interpolation} antialias "
            f"mean={mean} std={std}"
        )

    def region(self, width: int, height: int) -> Region:
        """The part of a `width` × `height` image that is kept."""
        left, kept_width = _span(width, self.width, self.crop)
        top, kept_height = _span(height, self.height, self.crop)
        return Region(left, top, kept_width, kept_height)

    def apply(self, rgb: Pixels) -> Pixels:
        """Resize RGB uint8 (any height, any width, 3) to uint8 (height, width, 3)."""
        kept = self.region(rgb.shape[1], rgb.shape[0])
        box = (kept.left, kept.top, kept.left + kept.width, kept.top + kept.height)
        resampling = Pillow.Resampling[self.interpolation.upper()]
        return np.asarray(
            Pillow.fromarray(rgb).resize((self.width, self.height), resampling, box=box)
        )


def _span(side: int, size: int, crop: float) -> tuple[float, float]:
    """Start and length, in source pixels, of what is kept of one side; torchvision's roundings."""
    resized = math.floor(size / crop)
    pixel = side / resized
    return round((resized - size) / 2) * pixel, size * pixel
