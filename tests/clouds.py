"""Points for tests of analysis: far blobs on the unit sphere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]


@dataclass(frozen=True)
class Cloud:
    """`points`: float32 (n, dim), unit norm. `truth`: int64 (n,), the blob of each."""

    points: Points
    truth: NDArray[np.int64]


def blobs(*sizes: int, dim: int = 8, width: float = 0.05, seed: int = 0) -> Cloud:
    """Blobs around different axes, shuffled; at most `dim` of them."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    points = np.eye(dim)[truth] + rng.normal(0, width, (len(truth), dim))
    return Cloud(unit(points), truth)


def unit(points: NDArray[np.floating]) -> Points:
    """Each row at unit length."""
    norms = np.linalg.norm(points, axis=1, keepdims=True)
    return np.asarray(points / norms, dtype=np.float32)


def same_partition(left: Sequence[int] | NDArray[np.int64], right: NDArray[np.int64]) -> bool:
    """Whether two labellings group alike, whatever the names of the groups; -1 is noise in both."""
    pairs = set(zip(np.asarray(left).tolist(), right.tolist(), strict=True))
    firsts, seconds = zip(*pairs, strict=True)
    one_to_one = len(set(firsts)) == len(pairs) == len(set(seconds))
    return one_to_one and all((a == -1) == (b == -1) for a, b in pairs)
