"""What a map may be trusted with: how far neighbours on it are neighbours in truth, and the reverse."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from lookalike_service.analysis.compiled import threads
from lookalike_service.analysis.neighbour_graph import Neighbours
from lookalike_service.analysis.points import Points, all_equal

NEIGHBOURS = 15
MEASURED_POINTS = 1_000
"""Up to so many points the figures are of all; beyond, of so many drawn at random, among all."""
_ROWS = 64


@dataclass(frozen=True, slots=True)
class Quality:
    """Figures from 0 to 1, higher is better, over `neighbours` nearest and `points` points.

    `trustworthiness`: whether neighbours on the map are neighbours in truth; `continuity`: whether
    neighbours in truth are neighbours on the map (both Venna and Kaski 2001,
    doi:10.1007/3-540-44668-0_68); `kept`: which share of a point's neighbours it has on the map too.
    `accuracy`, `accuracy_before`: for which share of the labelled points most of the labelled neighbours,
    on the map and in truth, have the point's own label; None without labels.
    """

    trustworthiness: float
    continuity: float
    kept: float
    accuracy: float | None
    accuracy_before: float | None
    points: int
    neighbours: int


def measure(
    points: Points,
    places: NDArray[np.float32],
    *,
    labels: NDArray[np.int64] | None = None,
    seed: int = 0,
) -> Quality | None:
    """How well `places`, float32 (n, few), keep the neighbours of `points`, float32 (n, dim).

    `labels`: int64 (n,), -1 for none. None below three points, or where all are equal.
    """
    count = len(points)
    k = min(NEIGHBOURS, (count - 1) // 2)
    if k < 1 or all_equal(points):
        return None
    rows = np.arange(count)
    if count > MEASURED_POINTS:
        drawn = np.random.default_rng(seed).choice(count, MEASURED_POINTS, replace=False)
        rows = np.sort(drawn)
    truth, map_ = _Distances(points), _Distances(places)
    intruders = extruded = kept = 0
    right: list[tuple[bool, bool]] = []
    for start in range(0, len(rows), _ROWS):
        part = rows[start : start + _ROWS]
        in_truth, on_map = truth.of(part), map_.of(part)
        near, drawn_near = _nearest(in_truth, k), _nearest(on_map, k)
        intruders += _excess(in_truth, drawn_near, k)
        extruded += _excess(on_map, near, k)
        kept += int((near[:, :, None] == drawn_near[:, None]).sum())
        if labels is not None:
            right += [
                (_same(labels, row, drawn_near[i]), _same(labels, row, near[i]))
                for i, row in enumerate(part)
                if labels[row] >= 0
            ]
    worst = len(rows) * k * (2 * count - 3 * k - 1) / 2
    accuracy, before = np.mean(right, axis=0).tolist() if right else (None, None)
    return Quality(
        1 - intruders / worst,
        1 - extruded / worst,
        kept / (len(rows) * k),
        accuracy,
        before,
        len(rows),
        k,
    )


class _Distances:
    """Squared distances of some points to all, but for a constant of each; infinite to themselves."""

    def __init__(self, points: NDArray[np.float32]) -> None:
        self._points = points - points.mean(axis=0, dtype=np.float64).astype(np.float32)
        self._squares = np.einsum("nd,nd->n", self._points, self._points)

    def of(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        found = self._squares - 2 * self._points[rows] @ self._points.T
        found[np.arange(len(rows)), rows] = np.inf
        return np.asarray(found, dtype=np.float32)


def _nearest(distances: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    return np.argpartition(distances, k - 1, axis=1)[:, :k]


def _excess(distances: NDArray[np.float32], chosen: NDArray[np.int64], k: int) -> int:
    """By how much the ranks of the chosen by these distances exceed k, summed up."""
    total = 0
    for column in np.take_along_axis(distances, chosen, axis=1).T:
        ranks = (distances < column[:, None]).sum(axis=1) + 1
        total += int(np.maximum(ranks - k, 0).sum())
    return total


def _same(labels: NDArray[np.int64], row: int, near: NDArray[np.int64]) -> bool:
    votes = Counter(label for label in labels[near].tolist() if label >= 0)
    return bool(votes) and max(votes, key=lambda label: (votes[label], -label)) == labels[row]


def distortions(neighbours: Neighbours, places: NDArray[np.float32]) -> NDArray[np.float32]:
    """For each point which share of its neighbours the map has not near it, float32 (n,), 0 to 1.

    `neighbours`: k of each point in truth, set against as many on the map, `places` (n, dimensions).
    """
    k = neighbours.indices.shape[1]
    _, near = KDTree(places).query(places, k + 1, workers=threads())
    near = np.asarray(near)
    near[near == np.arange(len(near))[:, None]] = -1  # the point itself, or another in its place
    both = np.zeros(len(near))
    for column in near.T:
        both += (neighbours.indices == column[:, None]).any(axis=1)
    lost: NDArray[np.float32] = (1 - np.minimum(both, k) / k).astype(np.float32)
    return lost
