"""The inner loops of layouts. Each moves or pulls a part of the points, reading where all lay before.

So threads do not meet, and the outcome does not depend on how many there are.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.compiled import compiled

Number: TypeAlias = "np.unsignedinteger[Any]"

_REACH = np.float32(4.0)  # of one step, as umap-learn has it
_NEGATIVES = 5  # points pushed away for one pulled near


@compiled("uint32(uint32)")
def _mixed(number: Number) -> Number:
    """A number in which every bit depends on every bit of the other (Wellons' lowbias32)."""
    number ^= number >> np.uint32(16)
    number *= np.uint32(0x7FEB352D)
    number ^= number >> np.uint32(15)
    number *= np.uint32(0x846CA68B)
    number ^= number >> np.uint32(16)
    return number


@compiled(
    "void(float32[:, ::1], float32[:, ::1], int32[::1], int32[::1], float32[::1], float32[::1],"
    " float32, float32, float32, int64, uint32, int64, int64)"
)
def umap_epoch(  # noqa: PLR0917 - compiled: no keywords
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    ends: NDArray[np.int32],
    neighbours: NDArray[np.int32],
    weights: NDArray[np.float32],
    densities: NDArray[np.float32],
    a: float,
    b: float,
    rate: float,
    epoch: int,
    seed: int,
    first: int,
    last: int,
) -> None:
    """Write to `after` where the points of rows `first` to `last` go from `before`, (n, dimensions).

    The symmetric graph in compressed rows: `ends` (n + 1,), `neighbours` and `weights` (edges,), the
    largest weight 1: so often is an edge drawn, and with it five other points. `densities` (edges,) is
    what densMAP adds to the pull of an edge, or empty.
    """
    count, dimensions = before.shape
    for row in range(first, last):
        state = _mixed(np.uint32(_mixed(np.uint32(seed + epoch)) + np.uint32(row)))
        for d in range(dimensions):
            after[row, d] = before[row, d]
        for edge in range(ends[row], ends[row + 1]):
            weight = np.float64(weights[edge])
            if np.floor((epoch + 1) * weight) <= np.floor(epoch * weight):
                continue
            other = neighbours[edge]
            # Once, not twice as the pull: since all points move at once, it would overshoot.
            spread = densities[edge] if len(densities) else np.float32(0)
            for _ in range(2):  # the edge's other end draws it as well, and moves both
                square = np.float32(0.0)
                for d in range(dimensions):
                    square += (after[row, d] - before[other, d]) ** 2
                pull = np.float32(0.0)
                if square > 0:
                    power = square**b
                    pull = -2 * a * b * power / (square * (1 + a * power))
                for d in range(dimensions):
                    apart = after[row, d] - before[other, d]
                    step = min(max(pull * apart, -_REACH), _REACH)
                    step += min(max(spread * apart, -_REACH), _REACH)
                    after[row, d] += rate * step
            for _ in range(_NEGATIVES):
                state = _mixed(np.uint32(state + np.uint32(0x9E3779B9)))
                other = np.int64(state) % count
                square = np.float32(0.0)
                for d in range(dimensions):
                    square += (after[row, d] - before[other, d]) ** 2
                if other == row or square <= 0:
                    continue
                push = 2 * b / ((np.float32(0.001) + square) * (1 + a * square**b))
                for d in range(dimensions):
                    step = push * (after[row, d] - before[other, d])
                    after[row, d] += rate * min(max(step, -_REACH), _REACH)


@compiled(
    "void(float32[:, ::1], int32[::1], int32[::1], float32, float32, float32[:, ::1], int64, int64)"
)
def pull_pairs(  # noqa: PLR0917 - compiled: no keywords
    places: NDArray[np.float32],
    ends: NDArray[np.int32],
    partners: NDArray[np.int32],
    strength: float,
    softness: float,
    gradient: NDArray[np.float32],
    first: int,
    last: int,
) -> None:
    """Add to `gradient` of rows `first` to `last`: strength / (softness + d)² × difference.

    d is one more than the squared difference. `places`, `gradient`: (n, dimensions). The pairs in
    compressed rows, each of them in both its rows: `ends` (n + 1,), `partners` (2 × pairs,).
    """
    dimensions = places.shape[1]
    for row in range(first, last):
        for pair in range(ends[row], ends[row + 1]):
            other = partners[pair]
            distance = np.float32(1.0)
            for d in range(dimensions):
                distance += (places[row, d] - places[other, d]) ** 2
            pull = strength / (softness + distance) ** 2
            for d in range(dimensions):
                gradient[row, d] += pull * (places[row, d] - places[other, d])
