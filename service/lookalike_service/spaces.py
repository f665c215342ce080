"""Embedding spaces: what makes two vectors comparable."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Space:
    """One encoder with its weights, layer, pooling and preprocessing; equal ids compare, others do not.

    `preprocessing` is the canonical text of size, crop, interpolation and normalisation.
    """

    model: str
    weights: str
    pooling: str
    preprocessing: str
    dim: int

    @property
    def id(self) -> str:
        """16 hex digits over every field; the name of the vector in the store."""
        return _id(self)


@lru_cache(1_000)  # asked for several times in each search
def _id(space: Space) -> str:
    canonical = json.dumps(asdict(space), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]
