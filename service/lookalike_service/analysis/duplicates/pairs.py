"""All pairs of points whose cosine reaches a threshold: exact, without computing most of them in full."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.points import Points
from lookalike_service.analysis.progress import Progress
from lookalike_service.errors import InvalidParameters

MOST_EACH = 100
"""Pairs for each point; beyond, nearly all pictures look alike, and what is found says nothing."""
_ROWS, _COLUMNS = 1024, 8192
_SAMPLE = 4096
_ROUNDING = 1e-5
_DENSE = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """`first` < `second`: int32 (pairs,), rows of the points; `cosine`: float32 (pairs,)."""

    first: NDArray[np.int32]
    second: NDArray[np.int32]
    cosine: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Distinct:
    """Some rows of unit vectors, float32 (n, dim), in a given order: point i is `points[rows[i]]`."""

    points: Points
    rows: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, start: int, stop: int) -> Points:
        """Points `start` to `stop`."""
        return np.asarray(self.points[self.rows[start:stop]])


def find_pairs(
    points: Distinct, start: int, stop: int, threshold: float, progress: Progress
) -> Pairs:
    """The pairs of a point from `start` to `stop` with any one before it, of at least this cosine.

    Raises InvalidParameters where there are more than `MOST_EACH` for each point up to `stop`.
    """
    screen = _screen(points, stop, threshold)
    found: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]] = []
    total = 0
    for low in range(start, stop, _ROWS):
        progress("comparing", low - start, stop - start)
        for block in _blocks(points, screen, low, min(low + _ROWS, stop), threshold):
            found.append(block)
            total += len(block[0])
        if total > MOST_EACH * stop:
            raise InvalidParameters(
                f"At a cosine of {threshold:.4f} images have more than {MOST_EACH} duplicates each on "
                "average: to this encoder nearly all of them look alike. Ask for a higher cosine."
            )
    if not found:
        return Pairs(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.float32))
    first, second, cosine = (np.concatenate(parts) for parts in zip(*found, strict=True))
    order = np.lexsort((second, first))
    return Pairs(
        first[order].astype(np.int32), second[order].astype(np.int32), cosine[order].clip(-1, 1)
    )


def _blocks(
    points: Distinct, screen: NDArray[np.float32], low: int, high: int, threshold: float
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]]:
    """The pairs of points `low` to `high` with those before them, (first, second, cosine)."""
    for left in range(0, high, _COLUMNS):
        right = min(left + _COLUMNS, high)
        bound = screen[low:high] @ screen[left:right].T
        reached = bound >= threshold - _ROUNDING
        reached &= np.arange(left, right)[None] < np.arange(low, high)[:, None]
        second, first = np.nonzero(reached)
        if not len(first):
            continue
        if len(first) > _DENSE * bound.size:
            whole = points.take(low, high) @ points.take(left, right).T
            cosine = whole[second, first]
        else:
            cosine = _cosines(points, first + left, second + low)
        kept = cosine >= threshold
        yield (first + left)[kept], (second + low)[kept], cosine[kept]


def _cosines(
    points: Distinct, first: NDArray[np.int64], second: NDArray[np.int64]
) -> NDArray[np.float32]:
    parts = []
    for at in range(0, len(first), _COLUMNS):
        one = points.points[points.rows[first[at : at + _COLUMNS]]]
        other = points.points[points.rows[second[at : at + _COLUMNS]]]
        parts.append(np.einsum("ij,ij->i", one, other))
    return np.concatenate(parts)


def _screen(points: Distinct, stop: int, threshold: float) -> NDArray[np.float32]:
    """Short vectors (stop, p) whose products are never below the cosines.

    x·y = x₁·y₁ + x₂·y₂, where x₁ is x in the leading directions and x₂ the rest, and x₂·y₂ ≤ ‖x₂‖ ‖y₂‖ by
    Cauchy and Schwarz. So a point is its coordinates on so many directions that little is left, and the
    length of what is left.
    """
    step = max(1, stop // _SAMPLE)
    sample = points.points[points.rows[:stop:step]].astype(np.float64)
    energy, directions = np.linalg.eigh(sample.T @ sample / len(sample))
    rest = np.maximum(energy.sum() - np.cumsum(energy[::-1]), 0)
    kept = int(np.argmax(rest <= (1 - threshold) / 2)) + 1
    dim = len(energy)
    if kept > dim // 2:  # what would be saved is spent on checking
        basis = np.eye(dim, dtype=np.float32)
    else:
        basis = directions[:, ::-1][:, :kept].astype(np.float32)
    screen = np.empty((stop, basis.shape[1] + 1), np.float32)
    for at in range(0, stop, _COLUMNS):
        block = points.take(at, min(at + _COLUMNS, stop))
        short = block @ basis
        screen[at : at + len(block), :-1] = short
        left = 1 - np.einsum("ij,ij->i", short, short)
        screen[at : at + len(block), -1] = np.sqrt(np.maximum(left, 0))
    return screen
