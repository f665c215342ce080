"""An encoder that takes no time: 16 × 16 pixels in, a vector out. What is left is what serving costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lookalike_service.encoders.protocol import Encoded, EncoderInfo, Pixels, Region
from lookalike_service.encoders.text import no_text
from lookalike_service.spaces import Space

SIZE, DIM, MODEL = 16, 64, "timm:trivial"
WEIGHTS = np.random.default_rng(0).normal(size=(SIZE * SIZE * 3, DIM)).astype(np.float32)


def embed(pixels: Pixels) -> NDArray[np.float32]:
    """uint8 (n, 16, 16, 3) to float32 (n, 64), unit L2 norm."""
    vectors = pixels.reshape(len(pixels), -1).astype(np.float32) @ WEIGHTS
    unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


class TrivialEncoder:
    """Implements `Encoder` by one product of matrices."""

    def __init__(self) -> None:
        space = Space(MODEL, "0" * 64, "none", f"squash {SIZE}", DIM)
        self.info = EncoderInfo(
            MODEL, space, (SIZE, SIZE), False, "none", "cpu", "float32", False, None, 0
        )

    def preprocess(self, rgb: Pixels) -> Pixels:
        """As it is, where it has that size."""
        if rgb.shape == (SIZE, SIZE, 3):
            return rgb
        return np.asarray(Image.fromarray(rgb).resize((SIZE, SIZE)))

    def region(self, width: int, height: int) -> Region:
        """The whole image."""
        return Region(0, 0, width, height)

    def encode_text(self, texts: Sequence[str]) -> NDArray[np.float32]:  # noqa: ARG002 - the protocol's
        """Raise UnsupportedText."""
        raise no_text(MODEL, "it is trivial")

    def encode(self, pixels: Pixels, *, features: bool = False) -> Encoded:  # noqa: ARG002 - as above
        """Embeddings without features."""
        vectors = embed(pixels)
        return Encoded(vectors, np.ones(len(vectors), np.float32), None)


def serve() -> None:
    """`lookalike serve` with this encoder."""
    import os  # noqa: PLC0415

    os.environ |= {"LOOKALIKE_MODEL": MODEL, "BENTOML_DO_NOT_TRACK": "True"}
    from lookalike_service import app  # noqa: PLC0415
    from lookalike_service.serve import run  # noqa: PLC0415

    vars(app)["load_encoder"] = lambda *_: TrivialEncoder()
    run()


if __name__ == "__main__":
    serve()
