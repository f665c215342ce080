"""Encoders for tests, each loaded once per run."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lookalike_service.encoders.protocol import Encoded, Encoder, Pixels
from lookalike_service.encoders.registry import load_encoder
from lookalike_service.encoders.torch_encoder import TorchEncoder
from lookalike_service.settings import Settings

DEFAULT = "timm:tf_efficientnet_lite0"


@lru_cache
def loaded(spec: str = DEFAULT) -> TorchEncoder:
    """An encoder with a network whose weights are on this machine."""
    encoder = load_encoder(spec, Settings())
    assert isinstance(encoder, TorchEncoder)
    return encoder


def encode_images(encoder: Encoder, *images: Pixels, features: bool = False) -> Encoded:
    """Preprocess and encode images of any sizes as one batch."""
    return encoder.encode(np.stack([encoder.preprocess(i) for i in images]), features=features)


def features_of(encoder: Encoder, image: Pixels) -> NDArray[np.float32]:
    """The feature maps (K, h, w) of one image."""
    features = encode_images(encoder, image, features=True).features
    assert features is not None
    maps: NDArray[np.float32] = features[0]
    return maps
