"""A map laid over a former one, so that what stayed stays where it was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.neighbour_graph import Neighbours


@dataclass(frozen=True, slots=True)
class Alignment:
    """`places * scale @ rotation + shift`; the rotation (dimensions, dimensions) may be a reflection."""

    scale: float
    rotation: NDArray[np.float64]
    shift: NDArray[np.float64]

    def apply(self, places: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32 (n, dimensions) of places (n, dimensions)."""
        moved = places.astype(np.float64) * self.scale @ self.rotation + self.shift
        return moved.astype(np.float32)


def align(
    places: NDArray[np.float32], former: NDArray[np.float32], *, only_turn: bool
) -> Alignment:
    """What brings places nearest to where they were: both float32 (n, dimensions), n ≥ 1.

    Procrustes analysis (Schönemann 1966, doi:10.1007/BF02289451): rotation or reflection, and unless
    `only_turn` scale and shift too.
    """
    new, old = places.astype(np.float64), former.astype(np.float64)
    centre, old_centre = new.mean(axis=0), old.mean(axis=0)
    if only_turn:
        centre, old_centre = np.zeros_like(centre), np.zeros_like(centre)
    left, values, right = np.linalg.svd((new - centre).T @ (old - old_centre))
    rotation = left @ right
    size = ((new - centre) ** 2).sum()
    scale = 1.0 if only_turn or size == 0 or values.sum() == 0 else float(values.sum() / size)
    return Alignment(scale, rotation, old_centre - centre * scale @ rotation)


def moved(places: NDArray[np.float32], former: NDArray[np.float32]) -> tuple[float, float]:
    """How far points moved, in units of the former map's radius: in the mean (RMS) and the median point.

    The radius is the RMS distance to the centre. Both float32 (n, dimensions), n ≥ 1.
    """
    steps = np.linalg.norm(places.astype(np.float64) - former, axis=1)
    radius = np.sqrt(((former - former.mean(axis=0)) ** 2).sum(axis=1).mean()) or 1.0
    return float(np.sqrt((steps**2).mean()) / radius), float(np.median(steps) / radius)


def fill(former: NDArray[np.float32], neighbours: Neighbours) -> NDArray[np.float32]:
    """Former places float32 (n, dimensions), those of new points (NaN) amid their neighbours' ones.

    A point without such a neighbour begins in the centre.
    """
    known = np.asarray(np.isfinite(former).all(axis=1))
    filled = former.copy()
    for row in np.flatnonzero(~known):
        near = neighbours.indices[row][known[neighbours.indices[row]]]
        filled[row] = former[near if len(near) else known].mean(axis=0)
    return filled
