"""From a decoded image to the pixels an encoder sees."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image as Pillow

from lookalike_service.images import Pixels, Region, within_memory

_MOST_RESIZED = 4
"""Times as many pixels as are kept: when a whole picture resized has more, only the crop is resized."""


_REACH = 2
"""Of the widest of the filters, in pixels of whichever picture, before or after, has the larger ones."""


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Resize the shorter side to `size / crop`, take the centre `size` × `size`, then normalise.

    The geometry is torchvision's `Resize` then `CenterCrop`, with their roundings. `mean` and `std` are per
    channel, for samples in [0, 1].
    """

    size: int
    crop: float
    interpolation: Literal["bicubic", "bilinear"]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __str__(self) -> str:
        """The canonical text that embedding spaces are told apart by."""
        return (
            f"rgb shorter={self._shorter} {self.interpolation} antialias center={self.size} "
            f"mean={_numbers(self.mean)} std={_numbers(self.std)}"
        )

    def region(self, width: int, height: int) -> Region:
        """The part of a `width` × `height` image that survives the crop."""
        resized_width, resized_height = self._resized(width, height)
        left, crop_width = self._span(width, resized_width)
        top, crop_height = self._span(height, resized_height)
        return Region(left, top, crop_width, crop_height)

    @property
    def decode_shorter(self) -> int:
        """How long the shorter side of a decoded image must be, at least, for the full image's embedding.

        Four times what it is resized to: at three times, grainy photographs came out below cosine 0.999.
        """
        return 4 * self._shorter

    def apply(self, rgb: Pixels) -> Pixels:
        """Resize and crop RGB uint8 (height, width, 3) to uint8 (size, size, 3). Raises TooManyPixels."""
        with within_memory(rgb):
            return self._applied(rgb)

    def _applied(self, rgb: Pixels) -> Pixels:
        height, width, _ = rgb.shape
        resized_width, resized_height = self._resized(width, height)
        if resized_width * resized_height > _MOST_RESIZED * self.size**2:
            return self._resize_crop(rgb)
        if self._columns_first(width, height):
            turned = resize(rgb.swapaxes(0, 1), resized_width, resized_height, self.interpolation)
            resized = turned.swapaxes(0, 1)
        else:
            resized = resize(rgb, resized_height, resized_width, self.interpolation)
        top, left = (round((side - self.size) / 2) for side in resized.shape[:2])
        return np.ascontiguousarray(resized[top : top + self.size, left : left + self.size])

    def _resize_crop(self, rgb: Pixels) -> Pixels:
        """`apply` for pictures so long that what the crop drops would cost the most: by Pillow, which can."""
        height, width, _ = rgb.shape
        region = self.region(width, height)
        across, columns = _needed(region.left, region.width, width, self.size)
        down, rows = _needed(region.top, region.height, height, self.size)
        image = Pillow.fromarray(rgb[rows, columns])
        if self._columns_first(width, height):
            return np.asarray(self._resize_rows(self._resize_columns(image, down), across))
        return np.asarray(self._resize_columns(self._resize_rows(image, across), down))

    @property
    def _shorter(self) -> int:
        return math.floor(self.size / self.crop)

    def _resized(self, width: int, height: int) -> tuple[int, int]:
        """Width and height that the whole image would be resized to before the crop."""
        shorter = min(width, height)
        return int(self._shorter * width / shorter), int(self._shorter * height / shorter)

    def _span(self, side: int, resized: int) -> tuple[float, float]:
        """Start and length, in source pixels, of the crop along one side."""
        pixel = side / resized
        return round((resized - self.size) / 2) * pixel, self.size * pixel

    def _columns_first(self, width: int, height: int) -> bool:
        """Pillow 13's rule for the whole image, applied here so that no release changes an embedding.

        Samples are rounded to 8 bits between the two passes, so their order shows: cosine 0.9998.
        """
        resized_width, resized_height = self._resized(width, height)
        return height - resized_height > max(0, 2 * (width - resized_width))

    def _resize_rows(self, image: Pillow.Image, across: tuple[float, float]) -> Pillow.Image:
        box = (across[0], 0, across[1], image.height)
        return image.resize((self.size, image.height), self._resampling, box=box)

    def _resize_columns(self, image: Pillow.Image, down: tuple[float, float]) -> Pillow.Image:
        box = (0, down[0], image.width, down[1])
        return image.resize((image.width, self.size), self._resampling, box=box)

    @property
    def _resampling(self) -> Pillow.Resampling:
        return Pillow.Resampling[self.interpolation.upper()]


def resize(
    rgb: Pixels, height: int, width: int, interpolation: Literal["bicubic", "bilinear"]
) -> Pixels:
    """Resize RGB uint8 (any height, any width, 3) with antialiasing, rows first, as Pillow does.

    Torch's vectorised code, 2 to 10 times as fast; the contract tests hold it to Pillow.
    """
    import torch  # noqa: PLC0415 - slow; whoever preprocesses for a network has it loaded

    channels_last = torch.tensor(rgb).permute(2, 0, 1)[None]
    resized = torch.nn.functional.interpolate(
        channels_last, (height, width), mode=interpolation, antialias=True
    )
    array: Pixels = resized[0].permute(1, 2, 0).numpy()
    return array


def _needed(start: float, length: float, side: int, size: int) -> tuple[tuple[float, float], slice]:
    """Of one side, the pixels that resizing this span of it to `size` reads, and where among them it lies.

    Without those before and after, a picture one pixel wide would grow 224-fold before most of it is dropped.
    """
    # Pillow rounds a box to single precision; after the cut, where numbers are small, it would less.
    low, high = float(np.float32(start)), float(np.float32(start + length))
    reach = math.ceil(_REACH * max(1, (high - low) / size)) + 1
    first, last = max(0, math.floor(low) - reach), min(side, math.ceil(high) + reach)
    return (low - first, high - first), slice(first, last)


def _numbers(values: tuple[float, ...]) -> str:
    return ",".join(f"{value:g}" for value in values)
