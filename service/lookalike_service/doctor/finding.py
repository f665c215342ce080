"""What a check says, and what it may look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from lookalike_service.settings import Settings

State = Literal["ok", "warning", "problem", "skipped"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of what is, and where it is not well, one of what to do.

    `problem`: the service will not start, or not do what it is set to. `skipped`: could not be looked at.
    """

    check: str
    state: State
    what: str
    todo: str | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the checks look at.

    `settings`: None where they are wrong, or the extra `service` is not installed. `url`: of the service.
    """

    environment: Mapping[str, str]
    settings: Settings | None
    url: str
    api_key: str | None = None


Check = Callable[[Surroundings], Iterable[Finding]]


def ok(check: str, what: str) -> Finding:
    """Nothing to do."""
    return Finding(check, "ok", what)


def warning(check: str, what: str, todo: str) -> Finding:
    """It works, but not as well as it could."""
    return Finding(check, "warning", what, todo)


def problem(check: str, what: str, todo: str) -> Finding:
    """It does not work."""
    return Finding(check, "problem", what, todo)


def skipped(check: str, what: str) -> Finding:
    """Not looked at, and why."""
    return Finding(check, "skipped", what)
