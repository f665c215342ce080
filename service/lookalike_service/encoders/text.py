"""What to say of an encoder that embeds no text."""

from __future__ import annotations

from lookalike_service.encoders.catalog import CATALOG
from lookalike_service.errors import UnsupportedText


def no_text(model: str, reason: str) -> UnsupportedText:
    """The error for texts given to this encoder, naming encoders that embed them."""
    able = ", ".join(row.spec for row in CATALOG if row.text)
    return UnsupportedText(f"'{model}' embeds no text: {reason}. These do: {able}.")
