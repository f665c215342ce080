"""Pictures for tests: sound files of every format that is read, and broken ones of every kind."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lookalike_service import errors

Pixels = NDArray[np.uint8]

FORMATS = ("jpeg", "png", "webp", "gif", "bmp", "tiff")


def scene(width: int = 64, height: int = 48, *, seed: int = 0) -> Pixels:
    """A smooth coloured scene with a bright block at the top left; differs by seed."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 200, (4, 4, 3), dtype=np.uint8)
    smooth = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    rgb = np.array(smooth)
    rgb[: max(1, height // 4), : max(1, width // 4)] = (250, 240, 30)
    return rgb


def photograph(name: str) -> Pixels:
    """A sample photograph that scikit-image ships: chelsea, coffee, astronaut, rocket."""
    import skimage.data

    rgb: Pixels = getattr(skimage.data, name)()
    return rgb


def encoded(rgb: NDArray[Any], format: str = "jpeg", **options: Any) -> bytes:
    """The file of an image array, in one of FORMATS."""
    return saved(Image.fromarray(rgb), format, **options)


def saved(image: Image.Image, format: str, **options: Any) -> bytes:
    """The file of a Pillow image, in one of FORMATS."""
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def jpeg(width: int = 64, height: int = 48, *, seed: int = 0) -> bytes:
    """A sound JPEG; other seeds, other pictures."""
    return encoded(scene(width, height, seed=seed), "jpeg", quality=92)


def rotated_jpeg(orientation: int, width: int = 64, height: int = 48) -> bytes:
    """A JPEG stored as `scene` with this EXIF orientation (1 to 8)."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(scene(width, height), "jpeg", quality=95, exif=exif)


# -- broken files


def empty() -> bytes:
    """No bytes at all."""
    return b""


def text() -> bytes:
    """Prose, as sent by a client that mixed up its files."""
    return b"patient,age,finding\n17,54,none\n" * 20


def svg() -> bytes:
    """An image, but of a format that is not read."""
    return b'<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><rect/></svg>'


def truncated(format: str = "jpeg") -> bytes:
    """A sound file without its second half."""
    data = encoded(_noise(), format)
    return data[: len(data) // 2]


def corrupt_png() -> bytes:
    """A PNG whose pixel data is not a zlib stream, with correct lengths and checksums."""
    header = struct.pack(">IIBBBBB", 16, 16, 8, 2, 0, 0, 0)
    return _png(header, b"this is not a zlib stream" * 8)


def corrupt_tiff() -> bytes:
    """A deflate-compressed TIFF whose strips hold other bytes than their deflate stream."""
    data = bytearray(encoded(_noise(), "tiff", compression="tiff_deflate"))
    data[16:2000] = b"\xaa" * (2000 - 16)
    return bytes(data)


def corrupt_webp() -> bytes:
    """A WebP of the right length whose bit stream is overwritten."""
    data = bytearray(encoded(_noise(), "webp", lossless=True))
    data[25:] = b"\xff" * (len(data) - 25)
    return bytes(data)


def bomb(format: str = "png", width: int = 50_000, height: int = 50_000) -> bytes:
    """A small file whose header declares `width` × `height` pixels."""
    return _BOMBS[format](width, height)


def _noise() -> Pixels:
    """Pixels that no format compresses away, so that half a file is half the picture."""
    rng = np.random.default_rng(7)
    return rng.integers(0, 256, (40, 56, 3), dtype=np.uint8)


def _png(header: bytes, data: bytes) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)

    parts = chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def _png_bomb(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return _png(header, zlib.compress(bytes(1000)))


def _jpeg_bomb(width: int, height: int) -> bytes:
    data = jpeg()
    frame = data.index(b"\xff\xc0")  # start of frame: marker, length, precision, height, width
    return data[: frame + 5] + struct.pack(">HH", height, width) + data[frame + 9 :]


def _gif_bomb(width: int, height: int) -> bytes:
    data = encoded(scene(), "gif")
    return data[:6] + struct.pack("<HH", width, height) + data[10:]


def _bmp_bomb(width: int, height: int) -> bytes:
    data = encoded(scene(), "bmp")
    return data[:18] + struct.pack("<ii", width, height) + data[26:]


def _tiff_bomb(width: int, height: int) -> bytes:
    data = bytearray(encoded(scene(64, 48), "tiff"))
    directory = struct.unpack_from("<I", data, 4)[0]
    for entry in range(struct.unpack_from("<H", data, directory)[0]):
        offset = directory + 2 + 12 * entry
        tag, kind = struct.unpack_from("<HH", data, offset)
        if tag in (256, 257):  # image width, image length
            size = width if tag == 256 else height
            struct.pack_into("<H" if kind == 3 else "<I", data, offset + 8, size)
    return bytes(data)


def _webp_bomb(width: int, height: int) -> bytes:
    """Lossless, so at most 16,384 a side."""
    data = encoded(scene(), "webp", lossless=True)
    start = data.index(b"VP8L") + 9
    packed = struct.unpack_from("<I", data, start)[0] & 0xF000_0000
    side = [min(16_384, size) - 1 for size in (width, height)]
    return data[:start] + struct.pack("<I", packed | side[0] | side[1] << 14) + data[start + 4 :]


_BOMBS: Mapping[str, Callable[[int, int], bytes]] = {
    "png": _png_bomb,
    "jpeg": _jpeg_bomb,
    "gif": _gif_bomb,
    "bmp": _bmp_bomb,
    "tiff": _tiff_bomb,
    "webp": _webp_bomb,
}


@dataclass(frozen=True)
class Broken:
    """A broken file and the error that it must be answered with."""

    data: bytes
    error: type[errors.ImageError]


def broken() -> dict[str, Broken]:
    """One broken file of every kind, by name; decode them with the service's default limits."""
    files = {
        "empty": Broken(empty(), errors.EmptyImage),
        "text": Broken(text(), errors.UnsupportedImage),
        "svg": Broken(svg(), errors.UnsupportedImage),
        "corrupt png": Broken(corrupt_png(), errors.CorruptImage),
        "corrupt tiff": Broken(corrupt_tiff(), errors.CorruptImage),
        "corrupt webp": Broken(corrupt_webp(), errors.CorruptImage),
    }
    files |= {f"truncated {f}": Broken(truncated(f), errors.TruncatedImage) for f in FORMATS}
    files |= {f"{f} bomb": Broken(bomb(f), errors.TooManyPixels) for f in FORMATS}
    return files
