"""Clustered unit vectors, the same for every engine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CENTRES = 1000
K = 10
"""How many neighbours are asked for."""


def clustered(n: int, dim: int) -> NDArray[np.float32]:
    """float32 (n, dim) of unit norm, around a thousand centres."""
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((CENTRES, dim), np.float32)
    rows = centres[rng.integers(CENTRES, size=n)]
    rows += 0.7 * rng.standard_normal((n, dim), np.float32)
    return _unit(rows)


def queries_near(rows: NDArray[np.float32], n: int) -> NDArray[np.float32]:
    """float32 (n, dim): some of the rows, a little off."""
    rng = np.random.default_rng(1)
    near = rows[rng.integers(len(rows), size=n)]
    return _unit(near + 0.02 * rng.standard_normal(near.shape, np.float32))


def nearest(rows: NDArray[np.float32], queries: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """int64 (queries, k): the rows of largest cosine, exactly, in any order."""
    return np.argpartition(-(queries @ rows.T), k, axis=1)[:, :k]


def recall(found: list[list[int]], wanted: NDArray[np.int64]) -> float:
    """Which share of the wanted was found, on average."""
    pairs = zip(found, wanted.tolist(), strict=True)
    return float(np.mean([len({*a} & {*b}) / len(b) for a, b in pairs]))


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows
