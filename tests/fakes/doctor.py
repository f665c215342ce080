"""What the checks of `lookalike doctor` are given in tests, and their findings."""

from __future__ import annotations

from typing import Any

from lookalike_service.doctor.finding import Check, Finding, Surroundings
from lookalike_service.settings import Settings

NOWHERE = "http://127.0.0.1:9"


def around(*, url: str = NOWHERE, api_key: str | None = None, **settings: Any) -> Surroundings:
    return Surroundings({}, Settings(**settings), url, api_key)


def only(check: Check, surroundings: Surroundings) -> Finding:
    (finding,) = check(surroundings)
    return finding


def states(check: Check, surroundings: Surroundings) -> dict[str, str]:
    return {finding.check: finding.state for finding in check(surroundings)}
