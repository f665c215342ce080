"""Encoders whose network is a torch module, whatever library it is from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lookalike_service.encoders.network import Network, is_average, probe
from lookalike_service.encoders.plans.engines import Normalisation
from lookalike_service.encoders.plans.runner import prepare
from lookalike_service.encoders.pooling import grid_of, normalise
from lookalike_service.encoders.preprocessing import Preprocessing
from lookalike_service.encoders.protocol import Encoded, EncoderInfo, Pixels, Region
from lookalike_service.encoders.spec import EncoderSpec
from lookalike_service.encoders.squash import Squash
from lookalike_service.encoders.text import no_text
from lookalike_service.errors import EncoderFailed
from lookalike_service.settings import Settings
from lookalike_service.spaces import Space


class TextTower(nn.Module):
    """Texts to embeddings in the images' space, not yet of unit norm: float32 (n, dim)."""

    def __init__(self, model: Any, tokenize: Callable[[list[str]], Tensor]) -> None:
        super().__init__()
        self.model = model
        self.tokenize = tokenize
        self.eval().requires_grad_(requires_grad=False)

    def forward(self, texts: Sequence[str]) -> Tensor:
        """Embed texts; longer ones are cut to the model's context."""
        device = next(self.model.parameters()).device
        embedded: Tensor = self.model.encode_text(self.tokenize(list(texts)).to(device))
        return embedded


@dataclass(frozen=True, slots=True)
class Parts:
    """What a provider builds of a spec.

    `weights`: what identifies them, 64 hex digits. `pooling`: canonical text of layer and pool.
    `text`: the text tower, or why there is none. `classes`: their names, where they are known.
    """

    spec: EncoderSpec
    network: Network
    preprocessing: Preprocessing | Squash
    input_size: tuple[int, int]
    weights: str
    pooling: str
    license: str
    text: TextTower | str
    classes: tuple[str, ...] = ()


class TorchEncoder:
    """A network, run by the fastest plan that agrees with float32; pooled features, normalised.

    `network` is the differentiable float32 network, on `info.device`; it takes samples in [0, 1] less
    `mean`, by `std`. `classes` are the names of its classes, where they are known. `class_weights` are the
    weights (classes, dim) and biases of a classifier that is linear in the embedding before normalisation.
    `resumes`: whether `Encoded.features` are what the network's trunk gave, so that its ending can go on from
    them. Runs on the GPU where there is one.
    """

    def __init__(self, parts: Parts, settings: Settings) -> None:
        model = str(parts.spec)
        shape = probe(parts.network.backbone, *parts.input_size)
        with torch.inference_mode():
            zeros = torch.zeros(1, *shape[1:])
            dim = parts.network.pool(zeros).shape[1]
        space = Space(
            model=model,
            weights=parts.weights,
            pooling=parts.pooling,
            preprocessing=str(parts.preprocessing),
            dim=int(dim),
        )
        self.classes = parts.classes
        self.mean, self.std = parts.preprocessing.mean, parts.preprocessing.std
        self._preprocessing = parts.preprocessing
        closed_form = is_average(parts.network, shape)
        self.resumes = not closed_form or parts.network.maps(zeros) is zeros
        self.class_weights = _class_weights(parts.network.linear)
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.network = parts.network.to(device)
        self._text = parts.text.to(device) if isinstance(parts.text, TextTower) else parts.text
        self._runner = prepare(
            self.network.trunk,
            self.network.pool,
            size=parts.input_size,
            normalisation=Normalisation(self.mean, self.std),
            network=space.id,
            settings=settings,
        )
        self.info = EncoderInfo(
            model=model,
            space=space,
            input_size=parts.input_size,
            text=isinstance(parts.text, TextTower),
            license=parts.license,
            device=self._runner.plan.device,
            dtype=self._runner.plan.dtype,
            closed_form=closed_form,
            grid=grid_of(shape, parts.network.prefix),
            memory_bytes=_bytes(parts.network, parts.text) + self._runner.plan.copied_bytes,
            decode_shorter=self._preprocessing.decode_shorter
            if isinstance(self._preprocessing, Preprocessing)
            else None,
            plan=self._runner.plan,
        )

    def preprocess(self, rgb: Pixels) -> Pixels:
        """Resize and crop RGB uint8 (height, width, 3) to uint8 of the input size."""
        return self._preprocessing.apply(rgb)

    def region(self, width: int, height: int) -> Region:
        """The part of an upright image of this size that `preprocess` keeps."""
        return self._preprocessing.region(width, height)

    def encode(self, pixels: Pixels, *, features: bool = False) -> Encoded:
        """Embed uint8 (n, height, width, 3), RGB, of the input size.

        Raises ValueError for pixels of another shape or type, UnsupportedTarget for features of an encoder
        without a grid, EncoderFailed where the features are not finite.
        """
        with torch.inference_mode():
            last = self._features(pixels)
            kept = self._kept(last) if features else None
            embeddings, norms = normalise(self.network.pool(last))
            if not torch.isfinite(norms).all():
                raise EncoderFailed(
                    "The network's features are not finite: its weights are damaged."
                )
            return Encoded(
                embeddings=embeddings.cpu().numpy(),
                norms=norms.cpu().numpy(),
                features=None if kept is None else kept.contiguous().cpu().numpy(),
            )

    def encode_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts into the images' space: float32 (n, dim), unit L2 norm. Raises UnsupportedText."""
        if not isinstance(self._text, TextTower):
            raise no_text(self.info.model, self._text)
        if not texts:
            return np.zeros((0, self.info.space.dim), np.float32)
        with torch.inference_mode():
            embeddings: NDArray[np.float32] = normalise(self._text(texts))[0].cpu().numpy()
        return embeddings

    def class_logits(
        self, pixels: Pixels, features: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """The network's own classifier: float32 (n, classes), before softmax.

        `features`, of `encode`, spare a pass where the encoder `resumes`. Raises ValueError as `encode` does,
        UnsupportedTarget for a network without classes.
        """
        with torch.inference_mode():
            if features is None or not self.resumes:
                last = self._features(pixels)
            else:
                last = torch.from_numpy(features).to(self.info.device)
            logits: NDArray[np.float32] = self.network.logits(last).cpu().numpy()
        return logits

    def _kept(self, last: Tensor) -> Tensor:
        """What maps are made of. Raises UnsupportedTarget for features that have no place in the image."""
        return self.network.maps(last) if self.info.closed_form or self.info.grid is None else last

    def _features(self, pixels: Pixels) -> Tensor:
        expected = (*self.info.input_size, 3)
        if pixels.dtype != np.uint8 or pixels.shape[1:] != expected:
            raise ValueError(
                f"Pixels are {pixels.dtype} {pixels.shape}, not uint8 (n, {expected})."
            )
        return self._runner.run(np.ascontiguousarray(pixels))


def _class_weights(
    linear: nn.Linear | None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    if linear is None:
        return None
    weights: NDArray[np.float32] = linear.weight.cpu().numpy()
    bias = np.zeros(len(weights), np.float32) if linear.bias is None else linear.bias.cpu().numpy()
    return weights, bias


def _bytes(network: Network, text: TextTower | str) -> int:
    """The bytes of all weights, each counted once where two halves of a network share it."""
    parts: list[nn.Module] = [network, text] if isinstance(text, TextTower) else [network]
    tensors = [t for part in parts for t in (*part.parameters(), *part.buffers())]
    return sum(t.nbytes for t in {id(t): t for t in tensors}.values())
