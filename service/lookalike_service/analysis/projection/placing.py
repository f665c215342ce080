"""Where new points lie on a fitted map: each by itself, the same however many are asked for at once.

What is kept of a map for it is plain arrays, which load on another machine and another Python.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.points import Points
from lookalike_service.analysis.projection.layout import interpolate
from lookalike_service.analysis.reduction import Linear

_ANCHOR_BYTES = 32 * 2**20
_NEIGHBOURS, _CANDIDATES = 15, 60
_ROWS = 256


@dataclass(frozen=True, slots=True)
class AlongAxes:
    """Places by a linear map of the vectors: those of PCA."""

    linear: Linear

    def place(self, vectors: Points) -> NDArray[np.float32]:
        """float32 (n, dimensions) of vectors float32 (n, dim)."""
        return _each(self.linear, vectors)


@dataclass(frozen=True, slots=True)
class AmongNeighbours:
    """Places among the 15 nearest anchors: points of the map, see `interpolate`.

    `before`: the reduction that came before the layout, or None. `anchors`: float32 (m, dim), as
    reduced; `places`: float32 (m, dimensions), where they lie; `halves`: float32 (m,), half the anchors'
    squared lengths.
    """

    before: Linear | None
    anchors: Points
    places: NDArray[np.float32]
    halves: NDArray[np.float32]

    def place(self, vectors: Points) -> NDArray[np.float32]:
        """float32 (n, dimensions) of vectors float32 (n, dim)."""
        points = vectors if self.before is None else _each(self.before, vectors)
        parts = [self._among(points[at : at + _ROWS]) for at in range(0, len(points), _ROWS)]
        return np.concatenate(parts)

    def _among(self, points: Points) -> NDArray[np.float32]:
        few = min(_CANDIDATES, len(self.anchors))
        scores = self.halves - points @ self.anchors.T
        near = np.sort(np.argpartition(scores, few - 1, axis=1)[:, :few], axis=1)
        # Anew from differences: products of matrices depend on how many rows they have.
        apart = points[:, None].astype(np.float64) - self.anchors[near]
        squares = (apart**2).sum(axis=2)
        order = np.argsort(squares, axis=1, kind="stable")[:, :_NEIGHBOURS]
        squares = np.take_along_axis(squares, order, axis=1)
        return interpolate(1 - squares / 2, self.places[np.take_along_axis(near, order, axis=1)])


Placer: TypeAlias = AlongAxes | AmongNeighbours


def _each(linear: Linear, vectors: Points) -> NDArray[np.float32]:
    """A linear map of each row on its own: products of matrices depend on how many rows they have."""
    rows = [
        (linear.components * (row - linear.mean)).sum(axis=1, dtype=np.float64) for row in vectors
    ]
    return np.array(rows, dtype=np.float32)


def anchor_arrays(
    points: Points, places: NDArray[np.float32], before: Linear | None, *, seed: int
) -> dict[str, NDArray[Any]]:
    """What to keep for `AmongNeighbours` of a map of points float32 (n, dim), as reduced.

    Of more than 32 MB as many as that holds, drawn at random.
    """
    rows = np.arange(len(points))
    most = max(1, _ANCHOR_BYTES // (4 * points.shape[1]))
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
    arrays: dict[str, NDArray[Any]] = {
        "anchors": np.asarray(points[rows], dtype=np.float32),
        "anchor_places": places[rows],
    }
    if before is not None:
        arrays |= {"before_mean": before.mean, "before_components": before.components}
    return arrays


def load_placer(arrays: Mapping[str, NDArray[Any]]) -> Placer:
    """The placer of a map from its arrays, which may lie among others."""
    if "anchors" not in arrays:
        return AlongAxes(Linear(arrays["mean"], arrays["components"]))
    before = None
    if "before_mean" in arrays:
        before = Linear(arrays["before_mean"], arrays["before_components"])
    anchors = arrays["anchors"]
    halves = np.einsum("md,md->m", anchors, anchors) / 2
    return AmongNeighbours(before, anchors, arrays["anchor_places"], halves)
