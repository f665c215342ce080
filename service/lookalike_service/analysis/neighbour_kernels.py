"""The inner loop of the search for nearest neighbours, compiled once for a machine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.compiled import compiled

_AT_ONCE = 256


@compiled("void(float32[:, :], float32[::1], int64, int64, float32[:, ::1], int32[:, ::1])")
def keep_nearest(  # noqa: PLR0917 - compiled: no keywords
    products: NDArray[np.float32],
    halves: NDArray[np.float32],
    left: int,
    top: int,
    scores: NDArray[np.float32],
    indices: NDArray[np.int32],
) -> None:
    """Put what is nearer than the nearest so far among them.

    `products`: (r, c), inner products of r points, those from row `top` on, with c points, those from
    row `left` on, whose squared lengths are 2 * `halves`, (c,). `scores`, `indices`: (r, k), changed
    in place: the largest of product - half, largest first, and their rows; of equal ones the first.
    """
    count, width = products.shape
    k = scores.shape[1]
    for i in range(count):
        worst = scores[i, k - 1]
        for start in range(0, width, _AT_ONCE):
            stop = min(start + _AT_ONCE, width)
            nearer = 0  # counted rather than looked for, since that is done many at a time
            for j in range(start, stop):
                nearer += products[i, j] - halves[j] > worst
            if nearer == 0:
                continue
            for j in range(start, stop):
                score = products[i, j] - halves[j]
                if score <= worst or left + j == top + i:
                    continue
                at = k - 1
                while at > 0 and scores[i, at - 1] < score:
                    scores[i, at] = scores[i, at - 1]
                    indices[i, at] = indices[i, at - 1]
                    at -= 1
                scores[i, at] = score
                indices[i, at] = left + j
                worst = scores[i, k - 1]
