"""Demo pictures: sample photographs of scikit-image and scikit-learn, cut into overlapping tiles.

The tiles of a photograph share its content, so the right neighbours of each are known: the other
tiles of its photograph.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image
from sklearn.datasets import load_sample_image

PHOTOS = (
    "astronaut", "brick", "camera", "chelsea", "clock", "coffee", "coins", "grass", "gravel",
    "hubble_deep_field", "immunohistochemistry", "moon", "page", "retina", "rocket", "text",
)  # fmt: skip
TILES_PER_SIDE, SHARE = 5, 0.4


def write_tiles(folder: Path) -> int:
    """Write `folder/<photograph>/<row>-<column>.jpg`; how many there are. Repeating it is harmless."""
    count = 0
    for name, photo in _photographs():
        target = folder / name
        target.mkdir(parents=True, exist_ok=True)
        for row in range(TILES_PER_SIDE):
            for column in range(TILES_PER_SIDE):
                path = target / f"{row}-{column}.jpg"
                if not path.exists():
                    _tile(photo, row, column).save(path, quality=90)
                count += 1
    return count


def _photographs() -> list[tuple[str, Image.Image]]:
    loaded = [(name, getattr(skimage.data, name)()) for name in PHOTOS]
    loaded += [(name, load_sample_image(f"{name}.jpg")) for name in ("china", "flower")]
    return [(name, Image.fromarray(np.asarray(pixels)).convert("RGB")) for name, pixels in loaded]


def _tile(photo: Image.Image, row: int, column: int) -> Image.Image:
    width, height = int(photo.width * SHARE), int(photo.height * SHARE)
    left = column * (photo.width - width) // (TILES_PER_SIDE - 1)
    top = row * (photo.height - height) // (TILES_PER_SIDE - 1)
    return photo.crop((left, top, left + width, top + height))
