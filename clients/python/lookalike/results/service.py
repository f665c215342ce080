"""What runs at the URL, and which encoders it has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Access:
    """What the client's key allows; `collections` are names and patterns, None for all.

    `keys`: whether the service asks for keys at all.
    """

    keys: bool
    role: Literal["read", "write", "admin"]
    collections: list[str] | None = None


@dataclass(frozen=True, slots=True)
class Info:
    """What runs at the URL."""

    version: str
    model: str
    device: str
    dtype: str
    store: Literal["embedded", "qdrant"]
    access: Access | None = None
    """None from a service that is older than its keys."""


@dataclass(frozen=True, slots=True)
class Model:
    """An encoder: one that is `served`, or one that the service could be started with.

    What is None is known only once it is loaded. Only embeddings of equal `space` compare.
    """

    model: str
    served: bool = False
    loaded: bool = False
    """In memory; else its first request loads it."""
    default: bool = False
    weights: Literal["installed", "offline", "download"] | None = None
    """Come with the service, are on its machine, or are fetched on first use."""
    space: str | None = None
    dim: int | None = None
    input_size: list[int] | None = None
    """Height and width of what the encoder sees, in pixels."""
    text: bool | None = None
    license: str | None = None


@dataclass(frozen=True, slots=True)
class Readiness:
    """A canary image embeds and the store answers."""

    ready: bool
    encoder: str
    store: str
