"""What a projection method is asked and what it answers, and how points are placed among others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.points import Points
from lookalike_service.analysis.progress import Progress, silent


@dataclass(frozen=True, slots=True)
class Drawing:
    """What is to be drawn, and how.

    `points`: float32 (n, dim). `start`: float32 (n, dimensions), where they lay on a former map, for
    methods that move points step by step; without one these begin on the main axes. `labels`: int64
    (n,), -1 for none, for methods that use them.
    """

    points: Points
    dimensions: int
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    progress: Progress = silent
    start: NDArray[np.float32] | None = None
    labels: NDArray[np.int64] | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """A drawing of n points.

    `coordinates`: float32 (n, dimensions), finite. `model`: what is needed beside them to place new
    points, plain arrays. `figures`: what the method itself measures or had to settle.
    """

    coordinates: NDArray[np.float32]
    model: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    figures: Mapping[str, float | None] = field(default_factory=dict)


def pad(coordinates: NDArray[np.float32], dimensions: int) -> NDArray[np.float32]:
    """The same points in more dimensions: zeros in those that are missing."""
    missing = dimensions - coordinates.shape[1]
    return np.pad(coordinates, ((0, 0), (0, missing))).astype(np.float32)


def interpolate(
    similarities: NDArray[np.floating], coordinates: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Where points belong whose k nearest neighbours are known: float32 (n, dimensions).

    `similarities`: (n, k), cosines to the neighbours, or 1 - half the squared distance, which on unit
    vectors is the same; `coordinates`: float32 (n, k, dimensions), where these lie. The mean of the
    coordinates weighted by 1 / (1 - similarity), the inverse squared distance (Shepard 1968,
    doi:10.1145/800186.810616): a copy of an old point falls on it, and each point's place depends on
    its own neighbours alone.
    """
    weights = 1 / np.maximum(1 - similarities.astype(np.float64), 1e-9)
    weights /= weights.sum(axis=1, keepdims=True)
    places: NDArray[np.float32] = np.einsum("nk,nkd->nd", weights, coordinates).astype(np.float32)
    return places
