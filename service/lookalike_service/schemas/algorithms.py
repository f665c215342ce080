"""The clustering algorithms there are, and what each may be told."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lookalike_service.schemas.base import Wire


class AlgorithmParameter(Wire):
    """One parameter of an algorithm."""

    name: str
    type: Literal["integer", "number", "text"]
    default: int | float | str | None = Field(
        description="Null: it may be left out, and `meaning` says what then holds."
    )
    meaning: str
    minimum: float | None = Field(None, description="The smallest value allowed.")
    maximum: float | None = Field(None, description="The largest value allowed.")
    choices: tuple[str, ...] = Field((), description="The values allowed, of a text.")
    at_most_points: bool = Field(
        False, description="Whether it may not exceed the number of images either."
    )


class Algorithm(Wire):
    """A clustering algorithm."""

    name: str
    meaning: str
    parameters: list[AlgorithmParameter]
    most_points: int | None = Field(
        description="Of more images so many are drawn and the others assigned; null: it takes all."
    )


class Algorithms(Wire):
    """The clustering algorithms, by name."""

    algorithms: list[Algorithm]
