"""What an algorithm may be told, as data: validated here, and readable by whoever documents it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

from lookalike_service.errors import InvalidParameters

Value: TypeAlias = int | float | str | None


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter: its type, default, allowed range (ends included) and meaning.

    `default` None means that it may be left out, or given as null, and `meaning` says what then
    holds. `at_most_points`: it may not exceed the number of points either.
    """

    name: str
    type: type[int] | type[float] | type[str]
    default: Value
    meaning: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    at_most_points: bool = False

    def allowed(self) -> str:
        """The allowed values in words."""
        if self.choices:
            words = "one of " + ", ".join(self.choices)
        else:
            words = {int: "a whole number", float: "a number", str: "a text"}[self.type]
            words += "" if self.minimum is None else f" from {self.minimum:g}"
            words += "" if self.maximum is None else f" to {self.maximum:g}"
        words += ", and no more than there are points" if self.at_most_points else ""
        return words + (", or null" if self.default is None else "")

    def check(self, value: object) -> Value:
        """The value in the parameter's type. Raises InvalidParameters saying what is allowed."""
        if value is None and self.default is None:
            return None
        if self.type is float and type(value) is int:
            with suppress(OverflowError):  # it stays a whole number, and is refused
                value = float(value)
        known = isinstance(value, int | float | str)
        if known and type(value) is self.type and self._in_range(value):  # so True is no number
            return value
        raise InvalidParameters(
            f"parameter {self.name} is {value!r:.80}; allowed: {self.allowed()}"
        )

    def _in_range(self, value: int | float | str) -> bool:
        if isinstance(value, str):
            return value in self.choices
        low = -math.inf if self.minimum is None else self.minimum
        high = math.inf if self.maximum is None else self.maximum
        return not (isinstance(value, float) and math.isinf(value)) and low <= value <= high


def resolve(
    owner: str, parameters: Sequence[Parameter], given: Mapping[str, object], *, points: int
) -> dict[str, Value]:
    """Every parameter's value, defaults filled in.

    Raises InvalidParameters for an unknown name, a value outside its range, or more than there are
    `points`; the text says what is allowed.
    """
    known = {parameter.name: parameter for parameter in parameters}
    if unknown := sorted(set(given) - set(known)):
        raise InvalidParameters(
            f"{owner} has no parameter {', '.join(unknown)}; allowed: {', '.join(known) or 'none'}"
        )
    values = {name: known[name].check(value) for name, value in given.items()}
    resolved = {parameter.name: parameter.default for parameter in parameters} | values
    for parameter in parameters:
        value = resolved[parameter.name]
        if parameter.at_most_points and isinstance(value, int) and value > points:
            raise InvalidParameters(
                f"{owner}: {parameter.name} is {value}, but there are only {points} points; "
                f"allowed here: {parameter.minimum or 0:g} to {points}"
            )
    return resolved


def check_seed(seed: int) -> None:
    """Raise InvalidParameters for a seed that the random generators do not take."""
    if not 0 <= seed < 2**32:
        raise InvalidParameters(f"seed is {seed}; allowed: a whole number from 0 to {2**32 - 1}")
