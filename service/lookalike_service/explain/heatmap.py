"""A heat map: what is drawn over a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROUNDING = 1e-6
"""Largest value, as a share of what its terms could add up to, that is float32 rounding noise."""


@dataclass(frozen=True, slots=True, eq=False)
class Heatmap:
    """A map of what in an image speaks for a target.

    `grid`: float32 (h, w), scaled to [0, 1] by its largest value. `peak`: that value before scaling.
    `empty`: nothing speaks for the target; `grid` is all zeros and `peak` 0.
    """

    grid: NDArray[np.float32]
    peak: float
    empty: bool


def heatmap_of(terms: NDArray[np.float64]) -> Heatmap:
    """The map of what is positive in the sum over channels of `terms`, (K, h, w); NaN counts as nothing."""
    terms = np.nan_to_num(terms, nan=0.0, posinf=0.0, neginf=0.0)
    raw = terms.sum(axis=0)
    raw[raw <= ROUNDING * np.abs(terms).sum(axis=0).max()] = 0
    peak = float(raw.max())
    grid = raw / peak if peak > 0 else raw
    return Heatmap(grid.astype(np.float32), peak, empty=peak == 0)
