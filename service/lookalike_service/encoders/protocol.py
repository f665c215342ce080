"""What an encoder does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lookalike_service.encoders.plans.plan import Plan
from lookalike_service.images import Pixels, Region
from lookalike_service.spaces import Space

__all__ = ["Encoded", "Encoder", "EncoderInfo", "Pixels", "Region"]


@dataclass(frozen=True, slots=True)
class EncoderInfo:
    """What is known of an encoder before any image.

    `closed_form`: whether the embedding, before normalisation, is the average of `Encoded.features` over
    their positions; only then does the closed form of Grad-CAM hold.
    `grid`: rows and columns of the features; None for an encoder whose features have no place in the image.
    `memory_bytes`: of its weights while it is loaded, with the copies that its plan runs on.
    `decode_shorter`: how long the shorter side of a picture must be for `preprocess` to lose nothing: larger
    files need not be decoded in full. None where every pixel counts.
    `plan`: how its network runs here; None for an encoder without one.
    """

    model: str
    space: Space
    input_size: tuple[int, int]
    text: bool
    license: str
    device: str
    dtype: str
    closed_form: bool
    grid: tuple[int, int] | None
    memory_bytes: int
    decode_shorter: int | None = None
    plan: Plan | None = None


@dataclass(frozen=True, slots=True)
class Encoded:
    """The model's answer for a batch of n images.

    `embeddings`: float32 (n, dim), unit L2 norm (zeros for an image whose features are all zero).
    `norms`: float32 (n,), the L2 norm before normalisation.
    `features`: float32 (n, ...), what maps are made of without another pass; None unless asked for. Where the
    encoder's `closed_form` says so, the maps (n, K, h, w) whose average over positions is the embedding
    before normalisation; else what the last stretch of its network takes.
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
        """Embed uint8 (n, height, width, 3), RGB, of the input size.

        Raises ValueError for pixels of another shape or type, UnsupportedTarget for features of an encoder
        without a `grid`.
        """

    def encode_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts into the same space: float32 (n, dim), unit L2 norm.

        Raises UnsupportedText, naming encoders that can, where `info.text` is false.
        """
