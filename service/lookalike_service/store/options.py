"""What a store is opened with, and what each kind of it can do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Quantization = Literal["none", "scalar", "binary"]

OVERSAMPLING: dict[Quantization, float] = {"scalar": 2.0, "binary": 20.0}
"""How many candidates found among compressed vectors are scored anew, as a multiple of the limit."""


@dataclass(frozen=True, slots=True)
class EmbeddedOptions:
    """Of the embedded engine.

    `index_from`: collections of fewer points are searched exactly, without a graph. `durable`: an
    update is on disk before it is acknowledged.
    """

    index_from: int = 50_000
    durable: bool = False
    quantization: Quantization = "none"
    vectors_on_disk: bool = False


EMBEDDED_DEFAULTS = EmbeddedOptions()


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """Of the collections that are made on a Qdrant server; those that exist stay as they are."""

    quantization: Quantization = "none"
    vectors_on_disk: bool = False
    shards: int = 1
    replicas: int = 1
    write_consistency: int = 1
