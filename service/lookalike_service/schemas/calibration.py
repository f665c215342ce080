"""What a score means in a collection."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lookalike_service.schemas.base import Wire

Verdict = Literal["near_duplicate", "similar", "no_good_match"]


class CalibrationState(Wire):
    """What the hits' `chance` and `verdict` rest on."""

    created_at: str
    points: int = Field(description="Images that the collection held then.")
    stale: bool = Field(
        description="Whether the collection has since grown or shrunk by more than a fifth."
    )


class CalibrationRequest(Wire):
    """How to calibrate a collection's scores."""

    seed: int = Field(0, ge=0, lt=2**32, description="Of the pictures that are altered.")


class CalibrationOut(CalibrationState):
    """How cosines of unrelated images of a collection are distributed.

    Of unrelated pairs, `share` score `threshold` or more; above, their excess follows a generalised Pareto
    distribution of this `scale` and `shape`.
    """

    space: str
    images: int = Field(description="Images sampled.")
    pairs: int = Field(description="Pairs compared.")
    threshold: float
    share: float
    scale: float
    shape: float
    quantiles: list[float] = Field(
        description="Cosines of unrelated pairs at equal steps of probability, from 0 to 1 - `share`."
    )
    similar: float = Field(description="Cosine from which a hit is `similar`.")
    near_duplicate: float | None = Field(
        description="Cosine from which a hit is a `near_duplicate`; null if the encoder cannot tell altered "
        "copies from other images."
    )
    altered: int = Field(description="Altered pictures that `near_duplicate` was measured with.")
    copies: int = Field(description="Pairs that were left out, since they are so much alike.")
    seed: int
    seconds: float
