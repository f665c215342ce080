"""A file to write to whose bytes are taken away as they come."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class Drain(io.RawIOBase):
    """Takes what is written and forgets what was taken; it cannot be read or sought."""

    def __init__(self) -> None:
        super().__init__()
        self._waiting = bytearray()
        self._written = 0

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: ReadableBuffer, /) -> int:
        """Keep the bytes until they are taken."""
        added = memoryview(data).nbytes
        self._waiting += data
        self._written += added
        return added

    def tell(self) -> int:
        """How many bytes were ever written."""
        return self._written

    def take(self) -> bytes:
        """What was written since it was last taken."""
        taken = bytes(self._waiting)
        self._waiting.clear()
        return taken
