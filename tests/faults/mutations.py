"""Ways in which a file comes broken, by accident or on purpose. Each is a function of bytes and a draw."""

from __future__ import annotations

import gzip
import io
import random
import zipfile
from collections.abc import Callable

from tests.faults.sound_files import sound_files
from tests.pictures import FORMATS, encoded, scene

_EDGES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)
"""Numbers at which lengths and sizes overflow."""
_HEADER = 96

Mutation = Callable[[bytes, random.Random], bytes]


def truncate(data: bytes, draw: random.Random) -> bytes:
    return data[: draw.randrange(len(data) + 1)]


def flip_bits(data: bytes, draw: random.Random) -> bytes:
    found = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 8, 64))):
        if found:
            found[draw.randrange(len(found))] ^= 1 << draw.randrange(8)
    return bytes(found)


def overwrite(data: bytes, draw: random.Random) -> bytes:
    start, length = _slice(data, draw)
    filling = draw.choice((b"\0" * length, b"\xff" * length, draw.randbytes(length)))
    return data[:start] + filling + data[start + length :]


def edit_header(data: bytes, draw: random.Random) -> bytes:
    """A number of the header becomes one at which sizes overflow, or lies."""
    width = draw.choice((1, 2, 4))
    place = draw.randrange(min(_HEADER, max(1, len(data) - width)))
    value = draw.choice((*_EDGES, draw.getrandbits(32))) & ((1 << 8 * width) - 1)
    order = draw.choice(("big", "little"))
    return data[:place] + value.to_bytes(width, order) + data[place + width :]  # type: ignore[arg-type] # a literal


def delete(data: bytes, draw: random.Random) -> bytes:
    start, length = _slice(data, draw)
    return data[:start] + data[start + length :]


def repeat(data: bytes, draw: random.Random) -> bytes:
    start, length = _slice(data, draw)
    return data[:start] + data[start : start + length] * draw.choice((2, 3, 100)) + data[start:]


def insert(data: bytes, draw: random.Random) -> bytes:
    place = draw.randrange(len(data) + 1)
    return data[:place] + draw.randbytes(draw.randrange(1, 200)) + data[place:]


def splice(data: bytes, draw: random.Random) -> bytes:
    """The beginning of this file and the end of another."""
    other = draw.choice(list(sound_files().values()))
    cut = draw.randrange(len(data) + 1)
    start = cut if draw.random() < 0.5 else draw.randrange(len(other))
    return data[:cut] + other[start:]


def concatenate(data: bytes, draw: random.Random) -> bytes:
    other = draw.choice(list(sound_files().values()))
    return data + other if draw.random() < 0.5 else other + data


def confuse(data: bytes, draw: random.Random) -> bytes:
    """The first bytes are of another format."""
    head = encoded(scene(16, 16), draw.choice(FORMATS))[: draw.choice((2, 4, 8, 12, 16, 30))]
    return head + data[len(head) :]


def disguise(data: bytes, draw: random.Random) -> bytes:
    """What is no image looks like one, or the other way round."""
    other = draw.choice((
        _zipped(data), gzip.compress(data, mtime=0), b"%PDF-1.7\n1 0 obj\n" + data,
        b"<html><body><img src='data:,'>" + data, b"<svg xmlns='http://www.w3.org/2000/svg'>" + data,
        b"\xef\xbb\xbf" + data, b"\n" + data,
    ))  # fmt: skip
    keep = draw.choice((0, 0, 4, 12, 30))
    return data[:keep] + other[keep:]


MUTATIONS: tuple[Mutation, ...] = (
    truncate, flip_bits, overwrite, edit_header, delete, repeat, insert, splice, concatenate, confuse,
    disguise,
)  # fmt: skip


def _slice(data: bytes, draw: random.Random) -> tuple[int, int]:
    start = draw.randrange(len(data) + 1)
    return start, min(draw.choice((1, 2, 4, 16, 64, 512)), len(data) - start)


def _zipped(data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo("image"), data)
    return file.getvalue()
