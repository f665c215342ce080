"""Fitted assigners: the label of a point that was not there when the clustering was made.

Plain arrays, so that they are stored without pickling. Each row is decided on its own. Every rule gives a
confidence, 0 to 1: how sure it is of the cluster it names; 0 for noise.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from lookalike_service.analysis.points import Points

_MOST_MEMBERS = 4096  # of 1280 dimensions: 20 MB to store
_ROWS_AT_ONCE = 1024


class _Rule(ABC):
    """What the rules share."""

    __slots__ = ()

    @abstractmethod
    def place(self, points: Points) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Labels int64 (n,) and confidences float64 (n,) of points float32 (n, dim)."""

    def assign(self, points: Points) -> NDArray[np.int64]:
        """Labels int64 (n,) of points float32 (n, dim)."""
        return self.place(points)[0]


@dataclass(frozen=True, slots=True)
class NearestCentre(_Rule):
    """The cluster of the nearest centre. `centres`: float32 (k, dim), row i for label i.

    Confidence: 1 - (distance to it) / (distance to the second nearest), 0 halfway between the two, 1 at
    the centre, and 1 everywhere where there is one centre.
    """

    rule: ClassVar[str] = "nearest_centre"
    centres: NDArray[np.float32]

    def place(self, points: Points) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Labels and confidences, (n,) each."""
        labels, distances, others = _nearest_two(points, self.centres, np.arange(len(self.centres)))
        return labels, _margin(distances, others)

    def renumbered(self, order: NDArray[np.int64]) -> NearestCentre:
        """The same rule where label i is the former label order[i]."""
        return NearestCentre(self.centres[order])


@dataclass(frozen=True, slots=True)
class NearestMember(_Rule):
    """The cluster of the nearest member, or noise (-1) beyond the reach of that cluster.

    `members`: float32 (m, dim); `member_labels`: int64 (m,); `reach`: float32 (clusters,), the
    largest distance within a cluster from a kept member to the next one. Confidence: 1 - (distance to it) /
    (distance to the nearest member of another cluster).
    """

    rule: ClassVar[str] = "nearest_member"
    members: NDArray[np.float32]
    member_labels: NDArray[np.int64]
    reach: NDArray[np.float32]

    def place(self, points: Points) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Labels and confidences, (n,) each."""
        if len(self.members) == 0:
            return np.full(len(points), -1, dtype=np.int64), np.zeros(len(points))
        return self._decide(*_nearest_two(points, self.members, self.member_labels))

    def place_members(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Labels and confidences, (m,) each, of the members had each been new to the others."""
        if len(self.members) == 0:
            return self.member_labels, np.zeros(0)
        return self._decide(
            *_nearest_two(self.members, self.members, self.member_labels, among=True)
        )

    def _decide(
        self,
        labels: NDArray[np.int64],
        distances: NDArray[np.float64],
        others: NDArray[np.float64],
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        near = distances <= self.reach[labels] * (1 + 1e-6) + 1e-6
        return np.where(near, labels, -1), np.where(near, _margin(distances, others), 0.0)

    def renumbered(self, order: NDArray[np.int64]) -> NearestMember:
        """The same rule where label i is the former label order[i]."""
        return NearestMember(self.members, np.argsort(order)[self.member_labels], self.reach[order])


@dataclass(frozen=True, slots=True)
class MostLikely(_Rule):
    """The component of a mixture of Gaussians most likely to have made the point.

    `means`: float64 (k, dim); `factors`: Cholesky factors of the precisions, float64 (k, dim) of diagonal
    ones, else (k, dim, dim); `log_weights`: float64 (k,). Confidence: the component's posterior probability.
    """

    rule: ClassVar[str] = "most_likely"
    means: NDArray[np.float64]
    factors: NDArray[np.float64]
    log_weights: NDArray[np.float64]

    def place(self, points: Points) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Labels and confidences, (n,) each."""
        likelihoods = np.stack(
            [self._log_density(points, k) for k in range(len(self.means))], axis=1
        )
        labels = likelihoods.argmax(axis=1)
        return labels.astype(np.int64), np.exp(
            likelihoods.max(axis=1) - logsumexp(likelihoods, axis=1)
        )

    def _log_density(self, points: Points, k: int) -> NDArray[np.float64]:
        """Up to what all components have in common."""
        factor, offsets = self.factors[k], points.astype(np.float64) - self.means[k]
        scaled = offsets * factor if factor.ndim == 1 else offsets @ factor
        diagonal = factor if factor.ndim == 1 else np.diag(factor)
        density: NDArray[np.float64] = (
            self.log_weights[k] + np.log(diagonal).sum() - (scaled**2).sum(axis=1) / 2
        )
        return density

    def renumbered(self, order: NDArray[np.int64]) -> MostLikely:
        """The same rule where label i is the former label order[i]."""
        return MostLikely(self.means[order], self.factors[order], self.log_weights[order])


Assigner: TypeAlias = NearestCentre | NearestMember | MostLikely
_RULES: Mapping[str, type[Assigner]] = {
    assigner.rule: assigner for assigner in (NearestCentre, NearestMember, MostLikely)
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


def _nearest_two(
    points: Points,
    targets: NDArray[np.float32],
    target_labels: NDArray[np.int64],
    *,
    among: bool = False,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """Each point's label, that of the nearest target, and the distances to it and to the next label: (n,).

    `among`: the points are the targets, and none is its own neighbour.
    """
    labels = np.empty(len(points), dtype=np.int64)
    distances, others = np.empty(len(points)), np.empty(len(points))
    for start in range(0, len(points), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        squared = _squared_distances(points[rows], targets)
        if among:
            squared[np.arange(len(squared)), start + np.arange(len(squared))] = np.inf
        labels[rows] = target_labels[squared.argmin(axis=1)]
        distances[rows] = np.sqrt(squared.min(axis=1))
        squared[labels[rows][:, None] == target_labels] = np.inf
        others[rows] = np.sqrt(squared.min(axis=1))
    return labels, distances, others


def _margin(distances: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 - distance / other; 0 where both are 0."""
    share = np.divide(distances, others, out=np.ones_like(others), where=others > 0)
    return np.asarray(np.clip(1 - share, 0, 1))


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
