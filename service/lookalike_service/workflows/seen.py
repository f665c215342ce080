"""Images as an encoder saw them, and the few of them that are remembered."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

from lookalike_service.encoders.batch import EncodedItem
from lookalike_service.encoders.protocol import Pixels

_CAPACITY_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One image with its embedding, and its feature maps where they explain it.

    `pixels`: uint8 (height, width, 3) of the encoder's input size. `sha256`: of the original's bytes, also
    where a thumbnail stands in for it.
    """

    sha256: str
    pixels: Pixels
    encoded: EncodedItem
    made_from: Literal["image", "thumbnail"]

    @property
    def size(self) -> int:
        """Bytes held."""
        features = self.encoded.features
        return self.pixels.nbytes + (0 if features is None else features.nbytes)


class SeenCache:
    """The images explained last, by embedding space and hash, up to 64 MiB. Thread-safe."""

    def __init__(self, capacity: int = _CAPACITY_BYTES) -> None:
        self._capacity = capacity
        self.size = 0
        """Bytes held."""
        self.hits, self.misses = 0, 0
        self._entries: OrderedDict[tuple[str, str], Seen] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, space: str, sha256: str) -> Seen | None:
        """What is remembered of an image."""
        with self._lock:
            found = self._entries.get((space, sha256))
            if found is None:
                self.misses += 1
            else:
                self.hits += 1
                self._entries.move_to_end((space, sha256))
            return found

    def put(self, space: str, seen: Seen) -> None:
        """Remember an image; its thumbnail never takes the place of the image itself."""
        key = space, seen.sha256
        with self._lock:
            former = self._entries.get(key)
            if former is not None and seen.made_from == "thumbnail":
                return
            self.size += seen.size - (former.size if former else 0)
            self._entries[key] = seen
            self._entries.move_to_end(key)
            while self.size > self._capacity:
                self.size -= self._entries.popitem(last=False)[1].size
