"""From the bytes of an image file to upright RGB pixels, under limits; nothing in a file is trusted."""

from __future__ import annotations

import io
import logging
import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import TiffImagePlugin, UnidentifiedImageError

from lookalike_service import errors
from lookalike_service.image_structure import BoundedReads, check_structure

# Pillow remarks on what is odd about a file, for every tag anew: strangers' files would fill the log.
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").setLevel(logging.CRITICAL)

Pixels = NDArray[np.uint8]

_SIGNATURES = {
    b"\xff\xd8\xff": "jpeg",
    b"\x89PNG\r\n\x1a\n": "png",
    b"GIF87a": "gif",
    b"GIF89a": "gif",
    b"BM": "bmp",
    b"II*\0": "tiff",
    b"MM\0*": "tiff",
    b"II+\0": "tiff",
    b"MM\0+": "tiff",
}
_READ = "JPEG, PNG, WebP, GIF, BMP and TIFF are read"
_SIXTEEN_BITS = frozenset({"I;16", "I;16B", "I;16L"})
_EIGHT_BITS = frozenset(
    {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr"}
)
_ORIENTATION_TAG = 0x0112
_UPRIGHT = {
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_270,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_90,
}
"""What turns a picture stored with this EXIF orientation upright."""
_SIDEWAYS = frozenset({5, 6, 7, 8})
_LONGEST_SIDE = 1_000_000
"""Pillow's rows and tables take up to 60 bytes for each pixel of a side: more than a thin picture itself."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest file, in bytes, and the largest declared picture, in pixels, that are decoded.

    No side may be longer than a million pixels, whatever the limits. Pillow has a ceiling of its own, one for
    the process; making a Limits lifts it where it is lower.
    """

    max_bytes: int
    max_pixels: int

    def __post_init__(self) -> None:
        Pillow.MAX_IMAGE_PIXELS = max(self.max_pixels, Pillow.MAX_IMAGE_PIXELS or 0)


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """A decoded image.

    `rgb`: uint8, RGB, upright, read-only. `format`: jpeg, png, webp, gif, bmp or tiff. `width`, `height`: of
    the upright picture in the file; `rgb` is smaller where decoding was allowed to reduce it.
    """

    rgb: Pixels
    format: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle of an upright image, in pixels; its edges may fall between pixels."""

    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Crop:
    """The part of an image to use: a region in the pixels of the image, which is of this size.

    `size`: width and height; None for those of the picture that it is cut from. A thumbnail is smaller than
    the image it shows.
    """

    region: Region
    size: tuple[int, int] | None = None


def decode(data: bytes, limits: Limits, *, shorter: int | None = None) -> Image:
    """Decode the first frame of an image file to upright RGB.

    `shorter`: the least length of the shorter side that the caller needs. A JPEG larger than that is decoded
    at a half, a quarter or an eighth, as far as it stays that long and its sides divide without remainder,
    so that no edge moves; None decodes every pixel.

    - EXIF orientation is applied; orientation that cannot be read leaves the picture as stored.
    - Transparency is composited on white. Colour profiles are ignored, as in the encoders' training.
    - 16-bit grey keeps its full range: 0…65535 becomes 0…255 by dividing by 257, rounded. The picture's
      own minimum and maximum play no part, so equal samples stay equal from picture to picture.
    - 32-bit and floating-point samples have no range to scale from and are refused.

    Size limits hold before any pixel is decoded. Raises EmptyImage, ImageTooLarge, UnsupportedImage,
    TooManyPixels, TruncatedImage or CorruptImage, and nothing else, whatever the bytes.
    """
    if not data:
        raise errors.EmptyImage("The image has no bytes.")
    if len(data) > limits.max_bytes:
        raise errors.ImageTooLarge(
            f"The image has {len(data):,} bytes; at most {limits.max_bytes:,} are allowed."
        )
    format = _format(data)
    check_structure(data, format)
    with _open(data, format, limits) as file:
        _check_size(file.size, limits)
        width, height = file.size
        if shorter is not None:
            _reduce(file, shorter)
        rgb, sideways = _load(file, data, format)
    return Image(rgb, format, *((height, width) if sideways else (width, height)))


_FEWEST_PIXELS = 16
_TORCH_HAS_NONE = "can't allocate memory"
_OF_A_THUMBNAIL = " Of an indexed image only this thumbnail is kept: send the image itself."


def cut(rgb: Pixels, crop: Crop) -> Pixels:
    """The part of uint8 (height, width, 3) that a crop names, its edges at the nearest whole pixels.

    Raises InvalidField for a region that is not within the image, and for one of which a smaller picture
    shows too little.
    """
    region = crop.region
    height, width = rgb.shape[:2]
    full_width, full_height = crop.size or (width, height)
    right, bottom = region.left + region.width, region.top + region.height
    if not (0 <= region.left < right <= full_width and 0 <= region.top < bottom <= full_height):
        raise errors.InvalidField(
            f"'region' from ({region.left:g}, {region.top:g}) to ({right:g}, {bottom:g}) is not within the "
            f"image, which is {full_width} × {full_height} pixels."
        )
    across, down = width / full_width, height / full_height
    columns = slice(round(region.left * across), round(right * across))
    rows = slice(round(region.top * down), round(bottom * down))
    part = rgb[rows, columns]
    fewest, hint = (1, "") if crop.size is None else (_FEWEST_PIXELS, _OF_A_THUMBNAIL)
    if min(part.shape[:2]) < fewest:
        raise errors.InvalidField(
            f"'region' is {part.shape[1]} × {part.shape[0]} pixels of a picture of {width} × {height}; at "
            f"least {fewest} × {fewest} are needed.{hint}"
        )
    return part


def shrink(rgb: Pixels, size: int = 192) -> Pixels:
    """The picture, uint8 (height, width, 3), made to fit a square of `size` pixels; never enlarged."""
    with within_memory(rgb):
        small = Pillow.fromarray(rgb)
        small.thumbnail((size, size), reducing_gap=2.0)
        return np.asarray(small)


def thumbnail(rgb: Pixels, size: int = 192) -> bytes:
    """A JPEG of uint8 (height, width, 3) that fits a square of `size` pixels; never enlarged."""
    buffer = io.BytesIO()
    Pillow.fromarray(shrink(rgb, size)).save(buffer, "JPEG", quality=82)
    return buffer.getvalue()


@contextmanager
def within_memory(rgb: Pixels) -> Iterator[None]:
    """Raise TooManyPixels where there is not memory enough for what is done with a picture."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and _TORCH_HAS_NONE not in str(error):
            raise
        height, width = rgb.shape[:2]
        raise errors.TooManyPixels(
            f"There is not memory enough for a picture of {width} × {height} pixels."
        ) from error


def _format(data: bytes) -> str:
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    for signature, format in _SIGNATURES.items():
        if data.startswith(signature):
            return format
    raise errors.UnsupportedImage(f"The bytes are not of an image format that is read; {_READ}.")


def _open(data: bytes, format: str, limits: Limits) -> Pillow.Image:
    """The file with its header read. GIF may reserve a frame here, within Pillow's ceiling."""
    try:
        return Pillow.open(BoundedReads(data, format), formats=[format.upper()])
    except errors.ImageError:
        raise
    except MemoryError as error:
        raise errors.TooManyPixels("There is not memory enough to read the image.") from error
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning) as error:
        raise errors.TooManyPixels(
            f"The image declares more pixels than the {limits.max_pixels:,} that are decoded."
        ) from error
    except UnidentifiedImageError as error:
        if format == "tiff" and not _ends_early(data, format):
            raise errors.UnsupportedImage(
                "The TIFF's header is damaged, or its samples are of a kind that is not read; "
                "grey, palette, RGB or CMYK of 8 or 16 bits are."
            ) from error
        raise _undecodable(error, data, format) from error
    except Exception as error:  # hostile bytes make Pillow raise anything
        raise _undecodable(error, data, format) from error


def _check_size(size: tuple[int, int], limits: Limits) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise errors.CorruptImage(f"The image declares {width} × {height} pixels.")
    if width * height > limits.max_pixels:
        raise errors.TooManyPixels(
            f"The image declares {width} × {height} = {width * height:,} pixels; "
            f"at most {limits.max_pixels:,} are decoded."
        )
    if max(size) > _LONGEST_SIDE:
        raise errors.TooManyPixels(
            f"The image declares {width} × {height} pixels; "
            f"pictures of at most {_LONGEST_SIDE:,} pixels a side are decoded."
        )


def _reduce(file: Pillow.Image, shorter: int) -> None:
    """Have a JPEG decoded by libjpeg's scaled inverse DCT, which other formats know nothing of."""
    width, height = file.size
    for scale in (8, 4, 2):
        if min(width, height) >= scale * shorter and width % scale == height % scale == 0:
            file.draft(None, (width // scale, height // scale))
            return


def _load(file: Pillow.Image, data: bytes, format: str) -> tuple[Pixels, bool]:
    """The upright pixels, and whether they were stored sideways."""
    try:
        file.load()
        orientation = _orientation(file)
        upright = _UPRIGHT.get(orientation)
        rgb = _to_rgb(file)
        pixels = np.asarray(rgb if upright is None else rgb.transpose(upright))
        return pixels, orientation in _SIDEWAYS
    except errors.ImageError:
        raise
    except MemoryError as error:
        raise errors.TooManyPixels(
            f"There is not memory enough to decode {file.width} × {file.height} pixels."
        ) from error
    except Exception as error:  # hostile bytes make Pillow raise anything
        raise _undecodable(error, data, format) from error


def _orientation(file: Pillow.Image) -> int:
    try:
        return int(file.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # noqa: BLE001 - damaged metadata is no reason to refuse a sound picture
        return 1


def _to_rgb(image: Pillow.Image) -> Pillow.Image:
    if image.mode in _SIXTEEN_BITS:
        return _grey_of_16_bits(image).convert("RGB")
    if image.mode not in _EIGHT_BITS:
        raise errors.UnsupportedImage(
            f"Samples of mode '{image.mode}' have no fixed range or colour to decode to; "
            "rescale them to 8- or 16-bit grey, or to RGB."
        )
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Pillow.new("RGB", image.size, "white")
        white.paste(image, mask=image.getchannel("A"))
        return white
    return image if image.mode == "RGB" else image.convert("RGB")


def _grey_of_16_bits(image: Pillow.Image) -> Pillow.Image:
    samples = np.asarray(image).astype(np.uint32)
    tags = image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}
    if tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0:
        samples = 65535 - samples  # white is zero, which Pillow heeds for 8 bits only
    return Pillow.fromarray(((samples + 128) // 257).astype(np.uint8))


# -- why decoding failed


def _undecodable(error: Exception, data: bytes, format: str) -> errors.ImageError:
    name = {"webp": "WebP"}.get(format, format.upper())
    if "truncated" in str(error).lower() or _ends_early(data, format):
        return errors.TruncatedImage(f"The {name} ends before its data does: send the whole file.")
    if isinstance(error, UnidentifiedImageError):
        return errors.CorruptImage(f"The {name}'s header is damaged.")
    return errors.CorruptImage(f"The {name}'s data cannot be decoded: {error}.")


def _ends_early(data: bytes, format: str) -> bool:
    """Whether the end that a sound file of this format has, or declares, is missing."""
    try:
        return _END_MISSING[format](data)
    except Exception:  # noqa: BLE001 - it only chooses between two names for a file that failed
        return len(data) < 16


def _tiff_end_missing(data: bytes) -> bool:
    order = "<" if data[:2] == b"II" else ">"
    if data[2:4] in (b"*\0", b"\0*") and struct.unpack_from(order + "I", data, 4)[0] >= len(data):
        return True
    with Pillow.open(BoundedReads(data, "tiff"), formats=["TIFF"]) as file:
        tags = file.tag_v2 if isinstance(file, TiffImagePlugin.TiffImageFile) else {}
    strips = zip(tags.get(273, ()), tags.get(279, ()), strict=False)
    tiles = zip(tags.get(324, ()), tags.get(325, ()), strict=False)
    return any(offset + count > len(data) for offset, count in (*strips, *tiles))


_END_MISSING: dict[str, Callable[[bytes], bool]] = {
    "jpeg": lambda data: b"\xff\xd9" not in data[-4096:],
    "png": lambda data: b"IEND" not in data[-4096:],
    "gif": lambda data: not data.endswith(b";"),
    "bmp": lambda data: struct.unpack_from("<I", data, 2)[0] > len(data),
    "webp": lambda data: struct.unpack_from("<I", data, 4)[0] + 8 > len(data),
    "tiff": _tiff_end_missing,
}
