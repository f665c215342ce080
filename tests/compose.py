"""The Compose files as Compose reads them: its own tag, and variables with their defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
_VARIABLE = re.compile(r"\$\{(\w+)(?:(:[-+])([^${}]*))?\}")


class Compose(yaml.SafeLoader):
    """YAML with Compose's own tag for what replaces a list instead of adding to it."""


def _list(loader: Compose, node: yaml.SequenceNode) -> list[Any]:
    return list(loader.construct_sequence(node, deep=True))


Compose.add_constructor("!override", _list)


def compose_file(path: str, environment: Mapping[str, str] | None = None) -> Any:
    """A Compose file of the repository, by default where no variable is set."""
    return interpolated(Compose((ROOT / path).read_text()).get_single_data(), environment or {})


def interpolated(value: Any, environment: Mapping[str, str]) -> Any:
    """A value with `${NAME}`, `${NAME:-default}` and `${NAME:+instead}` replaced, the inner ones first."""
    if isinstance(value, dict):
        return {key: interpolated(each, environment) for key, each in value.items()}
    if isinstance(value, list):
        return [interpolated(each, environment) for each in value]
    if not isinstance(value, str):
        return value
    while found := _VARIABLE.search(value):
        value = value[: found.start()] + _replacement(found, environment) + value[found.end() :]
    if "${" in value:
        raise ValueError(f"cannot read {value!r}")
    return value


def _replacement(found: re.Match[str], environment: Mapping[str, str]) -> str:
    name, operator, word = found.groups()
    given = environment.get(name, "")
    if operator == ":+":
        return word if given else ""
    return given or word or ""
