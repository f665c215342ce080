"""The picture itself as its embedding: the baseline that a network has to beat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from lookalike_service.encoders.protocol import Encoded, EncoderInfo, Pixels, Region
from lookalike_service.encoders.spec import EncoderSpec
from lookalike_service.encoders.squash import Squash
from lookalike_service.encoders.text import no_text
from lookalike_service.spaces import Space

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601, as Pillow converts to grey


class PixelEncoder:
    """Resized samples, less each picture's own mean, normalised; grey or RGB.

    Samples are never negative, so without centring all pictures would have a cosine near 1. With it the
    cosine of two grey pictures is their correlation coefficient: it heeds neither brightness nor contrast.
    RGB is centred channel by channel, so that a colour cast does not count either. A picture of one colour
    has nothing left: a zero vector.
    """

    def __init__(self, spec: EncoderSpec) -> None:
        size, _, colour = spec.name.partition("-")
        width, height = map(int, size.split("x"))
        self._grey = colour == "grey"
        channels = 1 if self._grey else 3
        self._preprocessing = Squash(height, width, "bilinear")
        self.info = EncoderInfo(
            model=str(spec),
            space=Space(
                model=str(spec),
                weights="none",
                pooling="flatten centred",
                preprocessing=f"{self._preprocessing} {colour}",
                dim=width * height * channels,
            ),
            input_size=(height, width),
            text=False,
            license="CC0-1.0",
            device="cpu",
            dtype="float32",
            closed_form=False,
            grid=(height, width),
            memory_bytes=0,
        )

    def preprocess(self, rgb: Pixels) -> Pixels:
        """Resize RGB uint8 (height, width, 3) to uint8 of the input size."""
        return self._preprocessing.apply(rgb)

    def region(self, width: int, height: int) -> Region:
        """All of the picture."""
        return self._preprocessing.region(width, height)

    def encode(self, pixels: Pixels, *, features: bool = False) -> Encoded:
        """Embed uint8 (n, height, width, 3), RGB; features are the centred samples, in 1 or 3 channels.

        Raises ValueError for pixels of another shape or type.
        """
        expected = (*self.info.input_size, 3)
        if pixels.dtype != np.uint8 or pixels.shape[1:] != expected:
            raise ValueError(
                f"Pixels are {pixels.dtype} {pixels.shape}, not uint8 (n, {expected})."
            )
        maps = self._centred(pixels)
        flat = maps.reshape(len(pixels), -1)
        norms = np.linalg.norm(flat, axis=1).astype(np.float32)
        embeddings = flat / np.where(norms > 0, norms, 1).astype(np.float32)[:, None]
        return Encoded(embeddings, norms, maps if features else None)

    def encode_text(self, texts: Sequence[str]) -> NDArray[np.float32]:  # noqa: ARG002 - the protocol's
        """Raise UnsupportedText."""
        raise no_text(self.info.model, "it compares pixels")

    def _centred(self, pixels: Pixels) -> NDArray[np.float32]:
        samples = pixels.astype(np.float32) / 255
        maps = (samples @ _LUMA)[:, None] if self._grey else samples.transpose(0, 3, 1, 2)
        centred: NDArray[np.float32] = maps - maps.mean(axis=(2, 3), keepdims=True)
        # What is left of a picture of one colour is the rounding of its mean.
        centred[np.abs(centred) < 1e-5] = 0
        return centred
