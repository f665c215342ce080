"""How an analysis tells where it stands."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

Progress: TypeAlias = Callable[[str, int, int | None], None]
"""Called with (stage, done, total); total is None where the amount of work is not known."""


def silent(stage: str, done: int, total: int | None) -> None:
    """Tell nobody."""
