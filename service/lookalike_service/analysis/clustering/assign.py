"""Fitted assigners: the label of a point that was not there when the clustering was made.

Plain arrays, so that they are stored without pickling. Each row is decided on its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.points import Points

_MOST_MEMBERS = 4096  # of 1280 dimensions: 20 MB to store
_ROWS_AT_ONCE = 1024


@dataclass(frozen=True, slots=True)
class NearestCentre:
    """The cluster of the nearest centre. `centres`: float32 (k, dim), row i for label i."""

    rule: ClassVar[str] = "nearest_centre"
    centres: NDArray[np.float32]

    def assign(self, points: Points) -> NDArray[np.int64]:
        """Labels int64 (n,) of points float32 (n, dim)."""
        return _nearest(points, self.centres)[0]


@dataclass(frozen=True, slots=True)
class NearestMember:
    """The cluster of the nearest member, or noise (-1) beyond the reach of that cluster.

    `members`: float32 (m, dim); `member_labels`: int64 (m,); `reach`: float32 (clusters,), the
    largest distance within a cluster from a kept member to the next one.
    """

    rule: ClassVar[str] = "nearest_member"
    members: NDArray[np.float32]
    member_labels: NDArray[np.int64]
    reach: NDArray[np.float32]

    def assign(self, points: Points) -> NDArray[np.int64]:
        """Labels int64 (n,) of points float32 (n, dim)."""
        if len(self.members) == 0:
            return np.full(len(points), -1, dtype=np.int64)
        nearest, distances = _nearest(points, self.members)
        labels = self.member_labels[nearest]
        return np.where(distances <= self.reach[labels] * (1 + 1e-6) + 1e-6, labels, -1)


Assigner: TypeAlias = NearestCentre | NearestMember
_RULES: Mapping[str, type[Assigner]] = {
    assigner.rule: assigner for assigner in (NearestCentre, NearestMember)
}


def assigner_arrays(assigner: Assigner) -> dict[str, NDArray[Any]]:
    """What to store of an assigner; `load_assigner` is the way back."""
    return {field.name: getattr(assigner, field.name) for field in fields(assigner)}


def load_assigner(rule: str, arrays: Mapping[str, NDArray[Any]]) -> Assigner:
    """The assigner of this rule from its arrays, which may lie among others."""
    assigner = _RULES[rule]
    return assigner(**{field.name: arrays[field.name] for field in fields(assigner)})


def keep_members(points: Points, labels: NDArray[np.int64], seed: int) -> NearestMember:
    """The assigner of a clustering without centres, from at most 4,096 members drawn at random."""
    clustered = np.flatnonzero(labels >= 0)
    if len(clustered) > _MOST_MEMBERS:
        draw = np.random.default_rng(seed).choice(len(clustered), _MOST_MEMBERS, replace=False)
        clustered = clustered[np.sort(draw)]
    members = np.asarray(points[clustered], dtype=np.float32)
    member_labels = labels[clustered]
    reach = np.zeros(int(labels.max(initial=-1)) + 1, dtype=np.float32)
    for label in range(len(reach)):
        reach[label] = _largest_gap(members[member_labels == label])
    return NearestMember(members, member_labels, reach)


def _largest_gap(members: NDArray[np.float32]) -> float:
    if len(members) < 2:
        return 0.0
    return float(np.sqrt(_squared_distances(members, members, other=True).min(axis=1).max()))


def _nearest(
    points: Points, targets: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Index (n,) of each point's nearest target, and the distance to it."""
    indices = np.empty(len(points), dtype=np.int64)
    distances = np.empty(len(points))
    for start in range(0, len(points), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        squared = _squared_distances(points[rows], targets)
        indices[rows] = squared.argmin(axis=1)
        distances[rows] = np.sqrt(squared.min(axis=1))
    return indices, distances


def _squared_distances(
    points: Points, targets: NDArray[np.float32], *, other: bool = False
) -> NDArray[np.float64]:
    """(n, m); `other`: the two are the same points, and none is its own neighbour."""
    left, right = points.astype(np.float64), targets.astype(np.float64)  # equal points must give 0
    squared = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1) - 2 * left @ right.T
    if other:
        np.fill_diagonal(squared, np.inf)
    result: NDArray[np.float64] = np.maximum(squared, 0)
    return result
