"""How a client reaches the service, and what it says of each of its calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Priority = Literal["interactive", "bulk"]


@dataclass(frozen=True)
class Address:
    """Where calls go, by whose key, how urgent they are, and for how many seconds an answer is of use."""

    url: str | None
    api_key: str | None
    priority: Priority | None
    deadline: float | None
