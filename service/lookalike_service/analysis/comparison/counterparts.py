"""The nearest point of the other set, for each point of two sets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.points import Points
from lookalike_service.analysis.progress import Progress

_BLOCK = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Counterparts:
    """`row`: int32 (n,), the nearest point's row in the other set; `cosine`: float32 (n,), with it."""

    row: NDArray[np.int32]
    cosine: NDArray[np.float32]


def find_counterparts(
    first: Points, second: Points, progress: Progress
) -> tuple[Counterparts, Counterparts]:
    """Of the first set in the second, and of the second in the first; of equals the lower row.

    Unit vectors, float32 (n, dim) and (m, dim). Exact: every pair is compared once.
    """
    row = np.empty(len(first), np.int32)
    cosine = np.empty(len(first), np.float32)
    row_back = np.zeros(len(second), np.int32)
    cosine_back = np.full(len(second), -np.inf, np.float32)
    for start in range(0, len(first), _BLOCK):
        progress("finding counterparts", start, len(first))
        rows = slice(start, start + _BLOCK)
        cosines = first[rows] @ second.T
        row[rows] = cosines.argmax(axis=1)
        cosine[rows] = np.take_along_axis(cosines, row[rows, None], axis=1)[:, 0]
        best = cosines.argmax(axis=0)
        found = np.take_along_axis(cosines, best[None], axis=0)[0]
        nearer = found > cosine_back
        row_back[nearer] = best[nearer] + start
        cosine_back[nearer] = found[nearer]
    return Counterparts(row, np.clip(cosine, -1, 1)), Counterparts(
        row_back, np.clip(cosine_back, -1, 1)
    )
