"""The service: what it is, serves and whether it is ready."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lookalike_service.schemas.base import Wire


class Access(Wire):
    """What the caller may do here."""

    keys: bool = Field(description="Whether the service asks for API keys.")
    role: Literal["read", "write", "admin"]
    collections: tuple[str, ...] | None = Field(
        None, description="Names and patterns of the collections in the key's scope; null: all."
    )


class Info(Wire):
    """What runs here."""

    version: str
    model: str
    device: str
    dtype: str
    store: Literal["embedded", "qdrant"]
    access: Access


class Model(Wire):
    """An encoder: one that is offered here, or one that the service could be started with."""

    model: str
    served: bool = Field(False, description="Whether requests may name it here.")
    loaded: bool = Field(
        False, description="Whether it is in memory; else its first request loads it."
    )
    default: bool = False
    weights: Literal["installed", "offline", "download"] | None = Field(
        None,
        description="`installed`: come with the service, or loaded; `offline`: on this machine; `download`: "
        "fetched on first use; null: a user's own, not looked at yet.",
    )
    space: str | None = Field(
        None, description="Id of the embedding space, once loaded; only equal ids compare."
    )
    dim: int | None = None
    input_size: tuple[int, int] | None = Field(
        None, description="Height and width of what the encoder sees, in pixels."
    )
    text: bool | None = Field(None, description="Whether it embeds text too.")
    license: str | None = Field(None, description="Of the weights, as an SPDX identifier.")


class Models(Wire):
    """The encoders that are served."""

    models: list[Model]


class Readiness(Wire):
    """Whether a canary image embeds and the store answers."""

    ready: bool
    encoder: str
    store: str
