"""A small deterministic encoder whose embedding is the average pool of its feature maps, as a real one's."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lookalike_service.encoders.protocol import Encoded, EncoderInfo, Pixels, Region
from lookalike_service.encoders.text import no_text
from lookalike_service.spaces import Space

SIZE, GRID, CHANNELS = 32, 4, 16
POISON = np.array([255, 0, 255], np.uint8)


class FakeEncoder:
    """Random but fixed projections of 8×8 patches; remembers the batches it saw.

    An image that is POISON-coloured everywhere makes a whole batch raise, as a broken model would.
    """

    def __init__(
        self, model: str = "timm:fake_patches", *, channels: int = CHANNELS, seed: int = 7
    ) -> None:
        space = Space(model, "0" * 64, "avg", f"squash {SIZE}", channels)
        self.info = EncoderInfo(
            model,
            space,
            (SIZE, SIZE),
            False,
            "Apache-2.0",
            "cpu",
            "float32",
            True,
            (GRID, GRID),
            3072,
        )
        self.batches: list[int] = []
        self._lock = threading.Lock()
        patch = (SIZE // GRID) ** 2 * 3
        self._weights = (
            np.random.default_rng(seed).normal(size=(patch, channels)).astype(np.float32)
        )

    def preprocess(self, rgb: Pixels) -> Pixels:
        return np.asarray(Image.fromarray(rgb).resize((SIZE, SIZE), Image.Resampling.BILINEAR))

    def region(self, width: int, height: int) -> Region:
        return Region(0, 0, width, height)

    def encode_text(self, texts: Sequence[str]) -> NDArray[np.float32]:  # noqa: ARG002 - as in the protocol
        raise no_text(self.info.model, "it is a fake")

    def encode(self, pixels: Pixels, *, features: bool = False) -> Encoded:
        with self._lock:
            self.batches.append(len(pixels))
        if (pixels == POISON).all(axis=(1, 2, 3)).any():
            raise RuntimeError("poisoned batch")
        n, step = len(pixels), SIZE // GRID
        patches = pixels.reshape(n, GRID, step, GRID, step, 3).transpose(0, 1, 3, 2, 4, 5)
        flat = patches.reshape(n, GRID, GRID, -1).astype(np.float32) / 255
        maps = np.maximum(flat @ self._weights, 0).transpose(0, 3, 1, 2)
        pooled = maps.mean(axis=(2, 3))
        norms = np.linalg.norm(pooled, axis=1)
        safe = np.where(norms > 0, norms, 1)[:, None]
        return Encoded(pooled / safe, norms, maps if features else None)
