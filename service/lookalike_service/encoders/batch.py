"""One pass of the model for many requests, where every item succeeds or fails alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import structlog
from numpy.typing import NDArray

from lookalike_service.encoders.protocol import Encoder, Pixels
from lookalike_service.errors import EncoderFailed, LookalikeError

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class EncodeItem:
    """One preprocessed image waiting for its embedding.

    `pixels`: uint8 (height, width, 3) of the encoder's input size.
    """

    encoder: Encoder
    pixels: Pixels
    features: bool = False


@dataclass(frozen=True, slots=True)
class EncodedItem:
    """The embedding of one image.

    `embedding`: float32 (dim,), unit L2 norm. `features`: float32 (K, h, w) where asked for.
    """

    embedding: NDArray[np.float32]
    norm: float
    features: NDArray[np.float32] | None


Outcome = EncodedItem | LookalikeError


def encode_items(items: Sequence[EncodeItem]) -> list[Outcome]:
    """Encode a mixed batch, grouped by encoder; as many outcomes as items, in their order.

    Never raises for the model's sake: if a pass fails, its items are tried one by one, and those that
    fail again come back as EncoderFailed values.
    """
    outcomes: list[Outcome | None] = [None] * len(items)
    for encoder in {id(item.encoder): item.encoder for item in items}.values():
        places = [i for i, item in enumerate(items) if item.encoder is encoder]
        for place, outcome in zip(places, _encode_group([items[i] for i in places]), strict=True):
            outcomes[place] = outcome
    return [outcome for outcome in outcomes if outcome is not None]


def _encode_group(items: Sequence[EncodeItem]) -> list[Outcome]:
    try:
        return _encode_together(items)
    except Exception as error:  # a model may raise anything; the batch must survive it
        if len(items) == 1:
            log.exception("encoder failed", model=items[0].encoder.info.model)
            return [EncoderFailed(f"The encoder failed on this image: {type(error).__name__}.")]
        log.warning("batch failed, trying its items alone", size=len(items), error=repr(error))
        return [outcome for item in items for outcome in _encode_group([item])]


def _encode_together(items: Sequence[EncodeItem]) -> list[Outcome]:
    encoded = items[0].encoder.encode(
        np.stack([item.pixels for item in items]), features=any(item.features for item in items)
    )
    return [
        EncodedItem(
            # Copies: a view would keep the whole batch alive for as long as one caller holds its part.
            embedding=encoded.embeddings[i].copy(),
            norm=float(encoded.norms[i]),
            features=encoded.features[i].copy()
            if item.features and encoded.features is not None
            else None,
        )
        for i, item in enumerate(items)
    ]
