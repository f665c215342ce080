"""JPEGs of real photographs for the benches."""

from __future__ import annotations

import io

import skimage.data
from PIL import Image

PHOTOS = ("astronaut", "chelsea", "coffee", "rocket", "immunohistochemistry", "retina")


def jpegs(width: int = 500, height: int = 375, count: int = 48) -> list[bytes]:
    """Different crops of sample photographs, each `width` × `height`, quality 85."""
    photos = [Image.fromarray(getattr(skimage.data, name)()).convert("RGB") for name in PHOTOS]
    return [_jpeg(photos[i % len(photos)], i // len(photos), width, height) for i in range(count)]


def _jpeg(photo: Image.Image, shift: int, width: int, height: int) -> bytes:
    left, top = 6 * shift, 4 * shift
    crop = photo.crop((left, top, photo.width - 48 + left, photo.height - 32 + top))
    buffer = io.BytesIO()
    crop.resize((width, height), Image.Resampling.LANCZOS).save(buffer, "jpeg", quality=85)
    return buffer.getvalue()
