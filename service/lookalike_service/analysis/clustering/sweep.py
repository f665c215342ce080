"""Choosing k: the same algorithm with every k of a range, and what speaks for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import pairwise_distances

from lookalike_service.analysis.clustering.algorithms import cluster
from lookalike_service.analysis.clustering.gap import Gap, measure_gaps
from lookalike_service.analysis.clustering.neighbours import knee
from lookalike_service.analysis.dispersion import measure_dispersion
from lookalike_service.analysis.points import Points
from lookalike_service.analysis.progress import Progress
from lookalike_service.analysis.silhouette import Silhouette, summarise

Criterion: TypeAlias = Literal["silhouette", "elbow", "calinski_harabasz", "davies_bouldin", "gap"]

SWEEP_POINTS = 20_000
"""Of more points, so many are drawn by the seed for the sweep; the clustering itself is of all."""
SILHOUETTE_POINTS = 5_000
"""Up to so many the silhouettes of a sweep are exact; beyond, they are of so many drawn at random."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What speaks for a k; None where a figure is undefined.

    `within`: the inertia. The bounds of `silhouette` are those of 95 % confidence where it is sampled.
    """

    k: int
    within: float
    silhouette: float | None
    silhouette_low: float | None
    silhouette_high: float | None
    calinski_harabasz: float | None
    davies_bouldin: float | None
    gap: float | None
    gap_error: float | None


@dataclass(frozen=True, slots=True)
class Sweep:
    """Candidates by rising k, what each criterion chooses (None where it cannot), and of how many points."""

    candidates: list[Candidate]
    choices: dict[Criterion, int | None]
    points: int


def sweep(
    points: Points,
    algorithm: str,
    parameters: Mapping[str, object],
    ks: Sequence[int],
    *,
    seed: int,
    progress: Progress,
) -> Sweep:
    """Cluster points float32 (n, dim) with each k and measure. Raises InvalidParameters."""
    rng = np.random.default_rng(seed)
    if len(points) > SWEEP_POINTS:
        points = points[np.sort(rng.choice(len(points), SWEEP_POINTS, replace=False))]
    rows = np.arange(len(points))
    if len(rows) > SILHOUETTE_POINTS:
        rows = np.sort(rng.choice(rows, SILHOUETTE_POINTS, replace=False))
    distances = pairwise_distances(points[rows].astype(np.float64))  # once for all k
    exact = len(rows) == len(points)
    progress("measuring gaps", 0, None)
    gaps = measure_gaps(points, ks, seed=seed)
    candidates = []
    for done, (k, gap) in enumerate(zip(ks, gaps, strict=True)):
        progress("trying k", done, len(ks))
        labels = cluster(points, algorithm, {**parameters, "k": k}, seed=seed).labels
        found = summarise(silhouettes(distances, labels[rows]), exact=exact)
        candidates.append(_candidate(points, labels, k, found, gap))
    return Sweep(candidates, _choices(candidates), len(points))


def _candidate(
    points: Points, labels: NDArray[np.int64], k: int, found: Silhouette | None, gap: Gap | None
) -> Candidate:
    spread = measure_dispersion(points, labels)
    return Candidate(
        k,
        spread.within,
        found.mean if found else None,
        found.low if found else None,
        found.high if found else None,
        spread.calinski_harabasz,
        spread.davies_bouldin,
        gap.gap if gap else None,
        gap.error if gap else None,
    )


def silhouettes(
    distances: NDArray[np.float64], labels: NDArray[np.int64]
) -> NDArray[np.float64] | None:
    """Each point's silhouette, float64 (n,), from distances (n, n); None where undefined.

    Rousseeuw 1987, doi:10.1016/0377-0427(87)90125-7; 0 for the only point of a cluster.
    """
    kinds, labels = np.unique(labels, return_inverse=True)
    if not 2 <= len(kinds) < len(labels):
        return None
    rows = np.arange(len(labels))
    members = np.zeros((len(labels), len(kinds)))
    members[rows, labels] = 1
    sizes, sums = members.sum(axis=0), distances @ members
    inner = sums[rows, labels] / np.maximum(sizes[labels] - 1, 1)
    means = sums / sizes
    means[rows, labels] = np.inf
    outer = means.min(axis=1)
    widest = np.maximum(inner, outer)
    values = np.divide(outer - inner, widest, out=np.zeros_like(inner), where=widest > 0)
    return np.where(sizes[labels] > 1, values, 0.0)


def _choices(candidates: Sequence[Candidate]) -> dict[Criterion, int | None]:
    return {
        "silhouette": _best(candidates, "silhouette", 1),
        "elbow": candidates[knee(np.array([c.within for c in candidates]))].k,
        "calinski_harabasz": _best(candidates, "calinski_harabasz", 1),
        "davies_bouldin": _best(candidates, "davies_bouldin", -1),
        "gap": _by_gap(candidates),
    }


def _best(candidates: Sequence[Candidate], figure: str, sign: int) -> int | None:
    known = [c for c in candidates if getattr(c, figure) is not None]
    return max(known, key=lambda c: sign * getattr(c, figure)).k if known else None


def _by_gap(candidates: Sequence[Candidate]) -> int | None:
    """The smallest k whose gap the next one does not beat by its error; else that of the largest."""
    known = [(c.k, c.gap, c.gap_error or 0.0) for c in candidates if c.gap is not None]
    for (k, gap, _), (_, following, error) in pairwise(known):
        if gap >= following - error:
            return k
    return max(known, key=lambda one: one[1])[0] if known else None
