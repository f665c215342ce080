"""One pass of the model for many requests, where every item succeeds or fails alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import structlog
from numpy.typing import NDArray

from lookalike_service.encoders.protocol import Encoder, Pixels
from lookalike_service.errors import EncoderFailed, LookalikeError
from lookalike_service.telemetry.origin import Origin

log = structlog.get_logger(__name__)

MAX_BATCH_PIXELS = 32 * 512 * 512
"""Pixels in one pass: activations grow with them, and 32 images of 224 × 224 are a fifth of it."""

_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")
"""What torch's allocators say, in RuntimeErrors of no class of their own on a CPU."""


@dataclass(frozen=True, slots=True)
class EncodeItem:
    """One preprocessed image waiting for its embedding.

    `pixels`: uint8 (height, width, 3) of the encoder's input size.
    """

    encoder: Encoder
    pixels: Pixels
    features: bool = False
    origin: Origin = field(default_factory=Origin.here)


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

    A pass holds at most MAX_BATCH_PIXELS. Never raises for the model's sake: a pass that runs out of memory
    is halved; if one fails otherwise, its items are tried one by one. Those that fail alone come back as
    EncoderFailed values.
    """
    outcomes: list[Outcome | None] = [None] * len(items)
    for encoder in {id(item.encoder): item.encoder for item in items}.values():
        places = [i for i, item in enumerate(items) if item.encoder is encoder]
        for part in _passes(places, encoder):
            for place, outcome in zip(part, _encode_group([items[i] for i in part]), strict=True):
                outcomes[place] = outcome
    return [outcome for outcome in outcomes if outcome is not None]


def _passes(places: list[int], encoder: Encoder) -> Iterator[list[int]]:
    """Places cut into parts that fit the pixel budget."""
    height, width = encoder.info.input_size
    size = max(1, MAX_BATCH_PIXELS // (height * width))
    for start in range(0, len(places), size):
        yield places[start : start + size]


def _encode_group(items: Sequence[EncodeItem]) -> list[Outcome]:
    try:
        return _encode_together(items)
    except Exception as error:  # noqa: BLE001 - a model may raise anything; the batch must survive it
        failure = error
    # Outside the handler, whose traceback would keep the failed pass's memory from being used again.
    if len(items) == 1:
        return [_failed(items[0], failure)]
    size = (len(items) + 1) // 2 if _is_out_of_memory(failure) else 1
    log.warning(
        "batch failed, trying smaller ones", size=len(items), smaller=size, error=repr(failure)
    )
    del failure
    parts = [items[start : start + size] for start in range(0, len(items), size)]
    return [outcome for part in parts for outcome in _encode_group(part)]


def _failed(item: EncodeItem, failure: Exception) -> LookalikeError:
    if isinstance(failure, LookalikeError):
        return failure
    encoder = item.encoder
    log.error(
        "encoder failed",
        model=encoder.info.model,
        request_id=item.origin.request_id,
        exc_info=failure,
    )
    if _is_out_of_memory(failure):
        height, width = encoder.info.input_size
        return EncoderFailed(
            f"There is not memory enough to encode one image of {width} × {height} pixels."
        )
    return EncoderFailed(f"The encoder failed on this image: {type(failure).__name__}.")


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(w in str(error).lower() for w in _OUT_OF_MEMORY)


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
