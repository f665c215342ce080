"""What is wrong with the `LOOKALIKE_*` variables: names that do not exist, values that will not do."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping

from pydantic import ValidationError

from lookalike_service.settings import Settings

_PREFIX = "LOOKALIKE_"
_OF_CLIENTS = ("LOOKALIKE_URL", "LOOKALIKE_API_KEY")
_MAY_BE_SECRET = ("api_keys", "qdrant_api_key", "qdrant_url")

SETTINGS = tuple(f"{_PREFIX}{name.upper()}" for name in Settings.model_fields)
"""The variables that are settings of the service."""


def unknown_names(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What is to be said of each variable that is no setting, and what to do about it."""
    known = (*SETTINGS, *_OF_CLIENTS)
    for name in sorted(environment):
        if name.startswith(_PREFIX) and name.upper() not in known:
            close = difflib.get_close_matches(name, known, n=1)
            todo = f"did you mean {close[0]}?" if close else "remove it"
            yield f"{name} is not a setting, and does nothing", todo


def unfit_values(error: ValidationError) -> list[str]:
    """A line for each value that will not do: its variable, what is allowed, and what was given."""
    return [_line(str(each["loc"][0]), each["msg"], each["input"]) for each in error.errors()]


def _line(field: str, allowed: str, given: object) -> str:
    shown = "" if field in _MAY_BE_SECRET else f" (given: {given!r})"
    return f"{_PREFIX}{field.upper()}: {allowed}{shown}"
