"""Metadata of images, as far as it can be stored and read back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, Field

DEEPEST = 32
"""Levels of objects and lists, the metadata itself among them.

The embedded engine writes far deeper values and cannot open the collection again: its reader stops at 128.
"""
_LEAST, _MOST = -(2**63), 2**63 - 1


def check_values(values: Iterable[object], levels: int) -> None:
    """Return if the engines read these values back as they are. Raises ValueError."""
    for value in values:
        if isinstance(value, str):  # most are, and every point is gone over
            continue
        if isinstance(value, (dict, list, tuple)):
            if levels == 0:
                raise ValueError(f"nested deeper than {DEEPEST} levels")
            check_values(value.values() if isinstance(value, dict) else value, levels - 1)
        elif isinstance(value, int) and not _LEAST <= value <= _MOST:
            raise ValueError("a whole number is beyond 64 bits; send it as text")


def _checked(metadata: dict[str, Any]) -> dict[str, Any]:
    check_values(metadata.values(), DEEPEST - 1)
    return metadata


Metadata = Annotated[
    dict[str, Any],
    AfterValidator(_checked),
    Field(description=f"Nested {DEEPEST} levels deep at most; whole numbers have 64 bits."),
]
"""Any JSON object that the engines can keep."""
