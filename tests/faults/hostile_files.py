"""Files made to cost whoever decodes them: much work, memory or log for few bytes."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from functools import cache

from PIL import Image

from tests.pictures import bomb, jpeg, saved

MANY = 300_000
"""Parts of a file that an interpreted loop would turn over for seconds."""


@cache
def hostile_files() -> dict[str, tuple[bytes, str | None]]:
    """By name: the file, and the code that it is answered with; None if its picture is embedded."""
    return dict([*_extremes(), *_bombs(), *_frames(), *_metadata(), *_pieces()])


def _extremes() -> Iterator[tuple[str, tuple[bytes, str | None]]]:
    for format in ("jpeg", "png", "webp", "gif", "bmp", "tiff"):
        longest = 16_383 if format == "webp" else 50_000
        for width, height in ((1, 1), (1, longest), (longest, 1)):
            picture = Image.new("RGB", (width, height), "teal")
            yield f"{format} of {width} × {height}", (saved(picture, format), None)


def _bombs() -> Iterator[tuple[str, tuple[bytes, str | None]]]:
    for format in ("jpeg", "png", "webp", "gif", "bmp", "tiff"):
        yield f"{format} that declares too much", (bomb(format), "too_many_pixels")
    large = Image.new("1", (10_001, 10_000))
    yield "png that is too much", (saved(large, "png"), "too_many_pixels")
    yield "tiff that is too much", (saved(large, "tiff", compression="group4"), "too_many_pixels")
    yield "gif that is too much", (saved(large, "gif"), "too_many_pixels")


def _frames() -> Iterator[tuple[str, tuple[bytes, str | None]]]:
    frames = [Image.new("RGB", (8, 8), (i % 256, i // 256, 0)) for i in range(2000)]
    for format in ("gif", "webp", "png"):
        moving = saved(frames[0], format, save_all=True, append_images=frames[1:])
        yield f"{format} of 2,000 frames", (moving, None)
    pages = saved(frames[0], "tiff", save_all=True, append_images=frames[1:200])
    yield "tiff of 200 pages", (pages, None)


def _metadata() -> Iterator[tuple[str, tuple[bytes, str | None]]]:
    first, rest = jpeg()[:2], jpeg()[2:]
    yield (
        "jpeg with 5 MB of Exif",
        (first + jpeg_segment(0xE1, b"Exif\0\0" + bytes(60_000)) * 85 + rest, None),
    )
    yield "jpeg with 5 MB of profile", (
        first + jpeg_segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(60_000)) * 85 + rest, None,
    )  # fmt: skip
    bombed = zlib.compress(bytes(50 * 2**20), 9)
    yield (
        "png whose text unpacks to 50 MB",
        (with_chunks(b"zTXt", b"a\0\0" + bombed), "corrupt_image"),
    )
    yield (
        "png whose profile unpacks to 50 MB",
        (with_chunks(b"iCCP", b"a\0\0" + bombed), "corrupt_image"),
    )
    directory = b"\x01\0" + struct.pack(
        "<HHII", 0x8769, 4, 1, 8
    )  # its only entry is where it stands
    looped = jpeg_segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0" + directory)
    yield "jpeg whose Exif points at itself", (first + looped + rest, None)


def _pieces() -> Iterator[tuple[str, tuple[bytes, str | None]]]:
    first, rest = jpeg()[:2], jpeg()[2:]
    refused = "corrupt_image"
    yield "jpeg of 300,000 comments", (first + jpeg_segment(0xFE, b"") * MANY + rest, refused)
    yield "jpeg of 300,000 pieces of Exif", (
        first + jpeg_segment(0xE1, b"Exif\0\0" + bytes(20)) * MANY + rest, refused,
    )  # fmt: skip
    yield "jpeg of 100,000 scans", (of_scans(100_000, side=2000), refused)
    yield "png of 300,000 texts", (with_chunks(b"tEXt", b"a\0b", MANY), refused)
    yield "png of 300,000 empty chunks", (with_chunks(b"IDAT", b"", MANY), refused)
    yield "gif of 300,000 comments", (gif_of_comments(MANY), refused)
    yield "bmp of 9 million runs", (bmp_of_runs(3000), refused)
    yield "tiff of 300,000 strips", (tiff_of_strips(MANY), refused)


def jpeg_segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def of_scans(count: int, *, side: int) -> bytes:
    """A progressive JPEG whose last scan, a few bytes for the whole picture, comes so often."""
    data = saved(Image.new("L", (side, side), 7), "jpeg", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * count + data[-2:]


def with_chunks(kind: bytes, body: bytes, count: int = 1) -> bytes:
    """A sound PNG with chunks after its header."""
    chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    data = saved(Image.new("RGB", (8, 8)), "png")
    return data[:33] + chunk * count + data[33:]


def gif_of_comments(count: int) -> bytes:
    data = saved(Image.new("L", (8, 8), 7), "gif")
    header = 13 + 3 * (2 << (data[10] & 7)) if data[10] & 0x80 else 13
    return data[:header] + b"!\xfe\1a\0" * count + data[header:]


def bmp_of_runs(side: int) -> bytes:
    """Run-length encoded, each run one pixel long."""
    head = bytearray(saved(Image.new("P", (side, side)), "bmp"))
    (start,) = struct.unpack_from("<I", head, 10)
    body = (b"\1\7" * side + b"\0\0") * side + b"\0\1"
    struct.pack_into("<I", head, 2, start + len(body))
    struct.pack_into("<II", head, 30, 1, len(body))
    return bytes(head[:start]) + body


def tiff_of_strips(count: int) -> bytes:
    """Grey, four pixels wide, each row in a strip of its own; all of them the same four bytes."""
    file = io.BytesIO()
    file.write(b"II*\0" + struct.pack("<I", 12 + 8 * count) + b"\x10\x20\x30\x40")
    file.write(struct.pack("<I", 8) * count + struct.pack("<I", 4) * count)
    tags = [
        (256, 1, 4), (257, 1, count), (258, 1, 8), (259, 1, 1), (262, 1, 1), (273, count, 12), (277, 1, 1),
        (278, 1, 1), (279, count, 12 + 4 * count),
    ]  # fmt: skip
    file.write(struct.pack("<H", len(tags)))
    for tag, values, value in tags:
        file.write(struct.pack("<HHII", tag, 4, values, value))
    file.write(bytes(4))
    return file.getvalue()
