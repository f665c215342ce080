"""Images as callers have them, into bytes to send."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import IO, Any, Protocol, TypeAlias

from lookalike.errors import InvalidInput

_SCHEME = re.compile(r"data(?=:)|[a-z][a-z0-9+.-]*(?=://)", re.IGNORECASE)
_PNG_MODES = {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}
_RGB_MODES = {"CMYK", "HSV", "RGBX", "YCbCr"}


class PillowImage(Protocol):
    """What is used of `PIL.Image.Image`, so that Pillow need not be installed."""

    @property
    def mode(self) -> str:
        """Pixel format."""

    def save(self, fp: Any, format: str | None = None, **params: Any) -> None:
        """Encode into a file object."""

    def convert(self, mode: str) -> Any:
        """A copy in another mode."""

    def getexif(self) -> Any:
        """EXIF tags, the orientation among them."""


class PixelArray(Protocol):
    """What is used of `numpy.ndarray`: uint8 of shape (height, width) or (height, width, 3)."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Height, width and, for colour, 3."""

    @property
    def dtype(self) -> Any:
        """Must be uint8."""


ImageInput: TypeAlias = (
    str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes] | PillowImage | PixelArray
)
"""A path, a URL (http, https or data), encoded bytes, a binary file object, a Pillow image, or a uint8 array.

A URL is a string, and is fetched from here: check strings that come from strangers, as paths too.
"""


@dataclass(frozen=True, slots=True)
class ImageFile:
    """Bytes to send, and the path or address they were read from, if any."""

    data: bytes
    source: str | None = None


def read_images(images: ImageInput | Iterable[ImageInput]) -> list[ImageFile]:
    """One image or several, read and encoded. Raises InvalidInput, DownloadFailed, or OSError for a file."""
    if _is_one(images):
        return [read_image(images)]
    if not isinstance(images, Iterable):
        raise _unknown(images)
    files = [read_image(image) for image in images]
    if not files:
        raise InvalidInput("No images: give at least one.")
    return files


def read_image(image: Any) -> ImageFile:
    """One image, read and encoded. Raises InvalidInput, DownloadFailed, or OSError for a file."""
    if isinstance(image, str) and (scheme := _SCHEME.match(image)):
        return _read_url(image, scheme[0].lower())
    if isinstance(image, (str, os.PathLike)):
        path = Path(image)
        return ImageFile(path.read_bytes(), str(path))
    if isinstance(image, (bytes, bytearray, memoryview)):
        return ImageFile(bytes(image))
    if hasattr(image, "save") and hasattr(image, "mode"):
        return ImageFile(_encode_pillow(image))
    if hasattr(image, "dtype") and hasattr(image, "shape"):
        return ImageFile(_encode_array(image))
    if hasattr(image, "read"):
        return ImageFile(_read_file(image))
    raise _unknown(image)


def _read_url(url: str, scheme: str) -> ImageFile:
    from lookalike import downloads  # noqa: PLC0415 - it imports httpx, which is slow

    if scheme == "data":
        return ImageFile(downloads.data_url(url))
    if scheme in {"http", "https"}:
        return ImageFile(downloads.download(url), url)
    raise InvalidInput(
        f"{url[:80]!r} is a URL of a kind that is not fetched (http, https and data are); "
        "give its bytes."
    )


def _is_one(images: Any) -> bool:
    encoded = isinstance(images, (str, os.PathLike, bytes, bytearray, memoryview))
    return encoded or any(hasattr(images, name) for name in ("save", "dtype", "read"))


def _unknown(image: Any) -> InvalidInput:
    return InvalidInput(
        f"Not an image: {type(image).__name__}. Give a path, a URL, bytes, a binary file object, "
        "a Pillow image, or a uint8 array of shape (height, width) or (height, width, 3)."
    )


def _read_file(file: Any) -> bytes:
    data = file.read()
    if not isinstance(data, bytes):
        raise InvalidInput("The file object gives text; open it in binary mode ('rb').")
    return data


def _encode_pillow(image: Any) -> bytes:
    if image.mode not in _PNG_MODES | _RGB_MODES:
        raise InvalidInput(
            f"A Pillow image of mode {image.mode} has no 8-bit colours; convert it to 'L' or 'RGB'."
        )
    # The tag goes along, so that a photo opened with Pillow is turned upright like its file.
    exif = image.getexif()
    upright = image if image.mode in _PNG_MODES else image.convert("RGB")
    buffer = io.BytesIO()
    upright.save(buffer, format="PNG", compress_level=1, exif=exif.tobytes() if exif else b"")
    return buffer.getvalue()


def _encode_array(array: Any) -> bytes:
    shape = tuple(array.shape)
    grey_or_rgb = len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)
    if str(array.dtype) != "uint8" or not grey_or_rgb or 0 in shape:
        raise InvalidInput(
            f"An array must be uint8 of shape (height, width) or (height, width, 3); "
            f"this is {array.dtype} of shape {shape}. Give several images as a list."
        )
    try:
        pillow: Any = import_module("PIL.Image")  # by name: optional, and only for arrays
    except ImportError as error:
        raise InvalidInput(
            "Arrays are sent as PNG, which takes Pillow: pip install pillow, or give encoded bytes."
        ) from error
    return _encode_pillow(pillow.fromarray(array))
