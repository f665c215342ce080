"""From an encoder's spec to the encoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lookalike_service.encoders.protocol import Encoder
from lookalike_service.encoders.spec import EncoderSpec
from lookalike_service.settings import Settings


def load_encoder(spec: EncoderSpec | str | Mapping[str, Any], settings: Settings) -> Encoder:
    """Load the encoder of a spec, in any of its forms; takes seconds, or as long as a download.

    Raises UnknownModel, with the closest names, InvalidField, InvalidModel for weights that are unfit or
    unsafe, WeightsMissing, with what to do about it.
    """
    parsed = spec if isinstance(spec, EncoderSpec) else EncoderSpec.parse(spec)
    # Imported late: torch, timm and open_clip take seconds each.
    match parsed.provider:
        case "pixels":
            from lookalike_service.encoders.pixels import PixelEncoder  # noqa: PLC0415

            return PixelEncoder(parsed)
        case "head":
            from lookalike_service.encoders.head import load_head  # noqa: PLC0415

            return load_head(parsed, lambda base: load_encoder(base, settings))
        case "timm":
            from lookalike_service.encoders.timm_provider import timm_parts as parts  # noqa: PLC0415
        case "open_clip":
            from lookalike_service.encoders.open_clip_provider import (  # noqa: PLC0415
                open_clip_parts as parts,
            )
        case "autoencoder":
            from lookalike_service.encoders.autoencoder import (  # noqa: PLC0415
                autoencoder_parts as parts,
            )
    from lookalike_service.encoders.torch_encoder import TorchEncoder  # noqa: PLC0415

    return TorchEncoder(parts(parsed), settings)
