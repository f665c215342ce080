"""The points an analysis works on."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from lookalike_service.errors import InvalidParameters

Points: TypeAlias = NDArray[np.float32]
"""float32 (n, dim), finite; unit L2 norm where the text speaks of cosines."""

_ROWS_AT_ONCE = 4096


def check_points(points: Points) -> None:
    """Return if these are points; raise InvalidParameters naming the first row that is not."""
    if points.ndim != 2:
        raise InvalidParameters(f"points must have shape (n, dim), these have {points.shape}")
    if points.shape[0] == 0 or points.shape[1] == 0:
        raise InvalidParameters(
            f"there is nothing to analyse: the points have shape {points.shape}"
        )
    for start in range(0, len(points), _ROWS_AT_ONCE):
        finite = np.isfinite(points[start : start + _ROWS_AT_ONCE]).all(axis=1)
        if not finite.all():
            row = start + int(np.argmin(finite))
            raise InvalidParameters(f"row {row} of the points holds NaN or infinity")


def all_equal(points: Points) -> bool:
    """Whether every row is the first one again."""
    parts = range(0, len(points), _ROWS_AT_ONCE)  # the first of them mostly tells
    return all(bool((points[at : at + _ROWS_AT_ONCE] == points[0]).all()) for at in parts)
