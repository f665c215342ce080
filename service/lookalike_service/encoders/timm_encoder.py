"""Encoders whose network is timm's."""

from __future__ import annotations

from typing import Any

import numpy as np
import timm
import torch
from numpy.typing import NDArray

from lookalike_service.encoders.catalog import TimmEntry
from lookalike_service.encoders.pooling import normalised_average
from lookalike_service.encoders.protocol import Encoded, EncoderInfo, Pixels, Region
from lookalike_service.encoders.weights import load_in_order, packaged_file, read_state, sha256
from lookalike_service.spaces import Space


class TimmEncoder:
    """A timm convolutional network in float32; the embedding is its last features' average, normalised.

    Runs on the GPU where there is one. Raises WeightsError when its weights are missing or do not fit.
    """

    def __init__(self, entry: TimmEntry) -> None:
        file = packaged_file(entry.weights)
        # Any: timm types its models as bare modules, without the methods that all of them have.
        model: Any = timm.create_model(entry.architecture, pretrained=False)
        load_in_order(model, read_state(file))
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._model = model.eval().requires_grad_(requires_grad=False).to(self._device)
        self._preprocessing = entry.preprocessing
        mean, std = (torch.tensor(v) for v in (entry.preprocessing.mean, entry.preprocessing.std))
        # (x / 255 - mean) / std as one multiplication and one addition, per channel.
        self._scale = (1 / (255 * std)).view(3, 1, 1).to(self._device)
        self._shift = (-mean / std).view(3, 1, 1).to(self._device)
        size = entry.preprocessing.size
        self.info = EncoderInfo(
            model=entry.spec,
            space=Space(
                model=entry.spec,
                weights=sha256(file),
                pooling="avg",
                preprocessing=str(entry.preprocessing),
                dim=int(model.num_features),
            ),
            input_size=(size, size),
            text=False,
            license=entry.license,
            device=str(self._device),
            dtype="float32",
        )

    def preprocess(self, rgb: Pixels) -> Pixels:
        """Resize and crop RGB uint8 (height, width, 3) to uint8 (size, size, 3)."""
        return self._preprocessing.apply(rgb)

    def region(self, width: int, height: int) -> Region:
        """The part of an upright image of this size that `preprocess` keeps."""
        return self._preprocessing.region(width, height)

    def encode(self, pixels: Pixels, *, features: bool = False) -> Encoded:
        """Embed uint8 (n, size, size, 3), RGB. Raises ValueError on any other shape or type."""
        expected = (*self.info.input_size, 3)
        if pixels.dtype != np.uint8 or pixels.shape[1:] != expected:
            raise ValueError(
                f"Pixels are {pixels.dtype} {pixels.shape}, not uint8 (n, {expected})."
            )
        with torch.inference_mode():
            # Only the shape is permuted: memory stays channels-last, which convolves faster than NCHW.
            samples = torch.tensor(np.ascontiguousarray(pixels), device=self._device)
            batch = samples.permute(0, 3, 1, 2)
            maps = self._model.forward_features(batch * self._scale + self._shift)
            embeddings, norms = normalised_average(maps)
            return Encoded(
                embeddings=embeddings.cpu().numpy(),
                norms=norms.cpu().numpy(),
                features=maps.contiguous().cpu().numpy() if features else None,
            )

    def class_logits(self, encoded: Encoded) -> NDArray[np.float32]:
        """The network's own classifier on encoded images: float32 (n, classes), before softmax."""
        pooled = encoded.embeddings * encoded.norms[:, None]
        with torch.inference_mode():
            logits = self._model.get_classifier()(torch.from_numpy(pooled).to(self._device))
        array: NDArray[np.float32] = logits.cpu().numpy()
        return array
