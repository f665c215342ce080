"""The inner loop of the search for the shortest edges out of a group, compiled once for a machine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.compiled import compiled


@compiled(
    "void(float32[:, :], float32[::1], float32[::1], float32[::1], int64[::1], int64[::1], int64, "
    "float32[::1], int64[::1])"
)
def keep_shortest(  # noqa: PLR0917 - numba takes no keywords here
    products: NDArray[np.float32],
    norms: NDArray[np.float32],
    other_norms: NDArray[np.float32],
    squared_cores: NDArray[np.float32],
    group: NDArray[np.int64],
    other_group: NDArray[np.int64],
    left: int,
    shortest: NDArray[np.float32],
    other: NDArray[np.int64],
) -> None:
    """Put what is nearer than the nearest so far in its place, if it is of another group.

    `products`: (r, c), inner products of r points with c others, those from row `left` on, of squared
    lengths `norms` (r,) and `other_norms` (c,), and of `group` (r,) and `other_group` (c,).
    `squared_cores`: (c,), which no edge to the others is shorter than. `shortest`, `other`: (r,), changed in
    place: the square of the shortest edge and the row it leads to.
    """
    count, width = products.shape
    for i in range(count):
        best, own, norm = shortest[i], group[i], norms[i]
        for j in range(width):
            squared = max(norm + other_norms[j] - 2 * products[i, j], squared_cores[j])
            if squared < best and other_group[j] != own:
                best = squared
                other[i] = left + j
        shortest[i] = best
