"""From an encoder's spec to the encoder."""

from __future__ import annotations

from difflib import get_close_matches

from lookalike_service.encoders.catalog import CATALOG
from lookalike_service.encoders.protocol import Encoder
from lookalike_service.errors import UnknownModel
from lookalike_service.settings import Settings


def load_encoder(spec: str, settings: Settings) -> Encoder:  # noqa: ARG001 - no row needs a setting
    """Load the encoder of a spec such as `timm:tf_efficientnet_lite0`; takes about a second.

    Raises UnknownModel, with the closest specs, and WeightsError when the weights are missing or unfit.
    """
    entries = {entry.spec: entry for entry in CATALOG}
    if spec in entries:
        from lookalike_service.encoders.timm_encoder import TimmEncoder  # noqa: PLC0415 - torch is slow

        return TimmEncoder(entries[spec])
    close = get_close_matches(spec, entries, cutoff=0.4)
    known = f"Closest: {', '.join(close)}." if close else f"Known: {', '.join(entries)}."
    raise UnknownModel(f"There is no encoder '{spec}'. {known}")
