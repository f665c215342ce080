"""How much structure an image file may have, whatever the size of its picture.

A limit of bytes and pixels does not limit the work of decoding. A progressive JPEG may go over all its
pixels again for every twelve bytes of the file; a million comments, chunks or strips are each a turn of an
interpreted loop. Within these limits the slowest file known takes a few seconds; beyond them, hours.
"""

from __future__ import annotations

import io
import re
from typing import Literal

from lookalike_service.errors import CorruptImage

_MOST_SCANS = 100
"""As in libtiff. Encoders make 10, the most thrifty of them 20."""
_MOST_STRIPS = 65_536
_MOST_READS = {
    "jpeg": 16_384,  # four for a segment
    "png": 262_144,  # four for a chunk; the smallest that encoders write have a few hundred bytes
    "webp": 64,
    "gif": 16_384,  # two for 255 bytes of comment or profile
    "bmp": 2_097_152,  # two for a run of equal pixels
    "tiff": 262_144,  # two for a strip
}
_STRIPS, _TILES = 273, 324
# Stuffed bytes, restarts and TEM stand alone; everything else ends a scan or begins a segment.
_JPEG_MARKER = re.compile(rb"\xff([^\x00\x01\xd0-\xd7\xff])")
_START_OF_SCAN, _END_OF_IMAGE = b"\xda", b"\xd9"


class BoundedReads(io.BytesIO):
    """A file in memory that raises CorruptImage when it is read in too many pieces.

    A decoder written in Python reads once or more for every piece it interprets.
    """

    def __init__(self, data: bytes, format: str) -> None:
        super().__init__(data)
        self._left, self._name = _MOST_READS[format], format.upper()

    def read(self, size: int | None = -1, /) -> bytes:
        """Up to `size` bytes. Raises CorruptImage."""
        self._left -= 1
        if self._left < 0:
            raise CorruptImage(f"The {self._name} is in more pieces than are read; save it anew.")
        return super().read(size)


def check_structure(data: bytes, format: str) -> None:
    """Return if a file has no more parts than are decoded. Raises CorruptImage."""
    if format == "jpeg" and _scans(data) > _MOST_SCANS:
        raise CorruptImage(
            f"The JPEG has more than {_MOST_SCANS} scans, each of which is decoded over the whole picture; "
            "save it anew."
        )
    if format == "tiff" and (strips := _tiff_strips(data)) > _MOST_STRIPS:
        raise CorruptImage(
            f"The TIFF has {strips:,} strips or tiles; at most {_MOST_STRIPS:,} are read. Save it anew with "
            "larger ones."
        )


def _scans(data: bytes) -> int:
    """Scans of a JPEG's own picture, not of its thumbnails; those beyond _MOST_SCANS + 1 are not counted."""
    if data.count(b"\xff" + _START_OF_SCAN) <= _MOST_SCANS:
        return 0  # at most so many, as nearly always
    scans, place = 0, 2
    while scans <= _MOST_SCANS and (marker := _JPEG_MARKER.search(data, place)):
        if marker[1] == _END_OF_IMAGE:
            break
        scans += marker[1] == _START_OF_SCAN
        place = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")
    return scans


def _tiff_strips(data: bytes) -> int:
    """Strips or tiles that the first directory of a TIFF lists; 0 if there is no telling."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    wide = b"+" in data[2:4]  # 64-bit offsets

    def number(place: int, size: int) -> int:
        return int.from_bytes(data[place : place + size], order)

    directory = number(8, 8) if wide else number(4, 4)
    head, row, size = (8, 20, 8) if wide else (2, 12, 4)
    first = directory + head
    end = min(first + row * number(directory, head), len(data))
    return max(
        (number(e + 4, size) for e in range(first, end, row) if number(e, 2) in (_STRIPS, _TILES)),
        default=0,
    )
