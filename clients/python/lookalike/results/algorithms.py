"""The clustering algorithms of a service."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class AlgorithmParameter:
    """One parameter of an algorithm; where `default` is None it may be left out.

    `at_most_points`: it may not exceed the number of images either.
    """

    name: str
    type: Literal["integer", "number", "text"]
    default: int | float | str | None
    meaning: str
    minimum: float | None = None
    maximum: float | None = None
    choices: list[str] = field(default_factory=list)
    at_most_points: bool = False


@dataclass(frozen=True, slots=True)
class Algorithm:
    """A clustering algorithm; of more than `most_points` images so many are drawn and the others assigned."""

    name: str
    meaning: str
    parameters: list[AlgorithmParameter]
    most_points: int | None = None
