"""What an encoder does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lookalike_service.images import Pixels, Region
from lookalike_service.spaces import Space

__all__ = ["Encoded", "Encoder", "EncoderInfo", "Pixels", "Region"]


@dataclass(frozen=True, slots=True)
class EncoderInfo:
    """What is known of an encoder before any image."""

    model: str
    space: Space
    input_size: tuple[int, int]
    text: bool
    license: str
    device: str
    dtype: str


@dataclass(frozen=True, slots=True)
class Encoded:
    """The model's answer for a batch of n images.

    `embeddings`: float32 (n, dim), unit L2 norm (zeros for an image whose features are all zero).
    `norms`: float32 (n,), the L2 norm before normalisation.
    `features`: float32 (n, K, h, w), the maps whose average pool is the unnormalised embedding;
    None unless asked for.
    """

    embeddings: NDArray[np.float32]
    norms: NDArray[np.float32]
    features: NDArray[np.float32] | None


class Encoder(Protocol):
    """Turns decoded images into embeddings. Thread-safe."""

    info: EncoderInfo

    def preprocess(self, rgb: Pixels) -> Pixels:
        """Resize and crop RGB uint8 (height, width, 3) to the input size; runs in decode threads."""

    def region(self, width: int, height: int) -> Region:
        """The part of an image of this size that survives `preprocess`."""

    def encode(self, pixels: Pixels, *, features: bool = False) -> Encoded:
        """Embed uint8 (n, height, width, 3), RGB, of the input size."""
