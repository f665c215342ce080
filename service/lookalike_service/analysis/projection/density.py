"""What densMAP adds to UMAP: that groups are as dense on the map as they are in truth.

Narayan, Berger and Cho 2021, doi:10.1038/s41587-020-00801-7, with umap-learn's constants.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from lookalike_service.analysis.points import Points

PART = 0.3
"""It is considered in this last part of the epochs."""
MORE_EPOCHS = 200
_SHIFT = 0.1
_TINY = 1e-8
_ROWS = 8192


class Density:
    """Local radii of the points, and the forces that bring those on the map in line with them.

    `graph` as of `fuzzy_graph`, over `points`, float32 (n, dim). `strength` is the paper's lambda.
    """

    def __init__(self, points: Points, graph: csr_array, strength: float) -> None:
        edges = graph.tocoo()
        self._heads, self._tails, self._weights = edges.row, edges.col, edges.data
        self._strength, self._count = strength, len(points)
        self._total = float(self._weights.sum())
        squares = np.concatenate(
            [self._squares(points, at) for at in range(0, len(self._heads), _ROWS)]
        )
        radii = np.log(_TINY + self._mean(self._weights, squares))
        self._radii = (radii - radii.mean()) / max(radii.std(), _TINY)

    def _squares(self, places: NDArray[np.float32], at: int) -> NDArray[np.float64]:
        part = slice(at, at + _ROWS)
        apart = places[self._heads[part]] - places[self._tails[part]]
        squares: NDArray[np.float64] = np.einsum("nd,nd->n", apart, apart).astype(np.float64)
        return squares

    def _mean(
        self, weights: NDArray[np.floating], squares: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        sums = np.bincount(self._heads, weights * squares, self._count)
        weight = np.bincount(self._heads, weights, self._count)
        mean: NDArray[np.float64] = sums / np.maximum(weight, _TINY)
        return mean

    def forces(self, places: NDArray[np.float32], a: float, b: float) -> NDArray[np.float32]:
        """For each edge how strongly it is pushed apart or pulled together, float32 (edges,)."""
        apart = places[self._heads] - places[self._tails]
        squares = np.maximum(np.einsum("nd,nd->n", apart, apart).astype(np.float64), 1e-12)
        powers = a * squares**b
        kernel = 1 / (1 + powers)
        slope = b * powers / squares * kernel
        radii = np.log(_TINY + self._mean(kernel, squares))
        spread = np.sqrt(radii.var() + _SHIFT)
        agreement = radii @ self._radii / (self._count - 1)
        wanted = self._radii - agreement * (radii - radii.mean()) / spread**2
        # Each point's own share of what moving along an edge changes; edges are counted from both ends.
        sums = 2 * np.bincount(self._heads, kernel, self._count)
        change = (wanted / np.maximum(sums, _TINY), np.exp(-radii))
        pull = sum(
            kernel * change[0][end] * ((1 - b * (1 - kernel)) * change[1][end] + slope)
            for end in (self._heads, self._tails)
        )
        scale = self._strength * self._total / (spread * self._count)
        forces: NDArray[np.float32] = (scale * pull / self._weights).astype(np.float32)
        return forces
