"""Nearest neighbours of all points, and the graph they make."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from lookalike_service.analysis.neighbour_graph import nearest_neighbours
from lookalike_service.analysis.points import Points


def neighbour_distances(points: Points, k: int) -> NDArray[np.float64]:
    """Each point's distances to its k nearest others, (n, k), nearest first; k below n."""
    return nearest_neighbours(points, k).distances.astype(np.float64)


def neighbour_graph(points: Points, k: int) -> csr_array:
    """The symmetric graph of neighbours (n, n): 1 where two are each other's, 0.5 where one is."""
    near = nearest_neighbours(points, min(k, len(points) - 1)).indices
    count, k = near.shape
    ends = np.arange(0, count * k + 1, k, dtype=np.int32)
    directed = csr_array((np.ones(count * k), near.ravel(), ends), shape=(count, count))
    return csr_array((directed + directed.T) / 2)


def knee(values: NDArray[np.floating]) -> int:
    """The index where a rising or falling curve of evenly spaced values bends most, by Kneedle.

    The point farthest from the chord between the ends (Satopää et al. 2011, doi:10.1109/ICDCSW.2011.20), for
    curves that are convex, as sorted distances and falling inertia are. 0 for a straight or flat curve.
    """
    curve = np.asarray(values, dtype=np.float64)
    span = curve.max() - curve.min()
    if len(curve) < 3 or span <= 0:
        return 0
    chord = np.linspace(curve[0], curve[-1], len(curve))
    below = (chord - curve) / span
    best = int(below.argmax())
    return best if below[best] > 1e-9 else 0
