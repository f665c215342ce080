"""How much may wait, and what is said to those whose work may not."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from lookalike_service.batching.work import Priority
from lookalike_service.errors import Overloaded

Reason = Literal["wait", "images", "pixels", "bodies"]
"""Which bound refused a request."""

_LONGEST_RETRY = 60


@dataclass(frozen=True, slots=True)
class Size:
    """What one turn is for: so many images, and so many pixels to decode."""

    images: int = 1
    pixels: int = 0

    @property
    def cost(self) -> float:
        """The work that it is, where one image with its pixels at hand is 1."""
        return self.images + self.pixels / _PIXELS_OF_ONE


_PIXELS_OF_ONE = 2_000_000
"""Decoding this many takes about as long as embedding one image with a light encoder."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What is accepted. `images`, `pixels`: in all, waiting or under way.

    `interactive_seconds`, `bulk_seconds`: to wait for a turn. `decoding`: pixels that are decoded at the same
    time; a single image may have more.
    """

    images: int
    pixels: int
    interactive_seconds: float
    bulk_seconds: float
    decoding: int

    def seconds(self, priority: Priority) -> float:
        """How long work of this priority may wait."""
        return self.interactive_seconds if priority == "interactive" else self.bulk_seconds


def refusal(reason: Reason, seconds: float, said: str) -> Overloaded:
    """The error; there is room again in about so many seconds."""
    retry_after = max(1, min(_LONGEST_RETRY, math.ceil(seconds)))
    return Overloaded(
        f"{said} Try again in {retry_after} s.", retry_after=retry_after, reason=reason
    )
