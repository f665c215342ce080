"""Two clusterings of the same points: which cluster became what.

What becomes of a cluster is told as in MONIC (Spiliopoulou, Ntoutsi, Theodoridis and Schult 2006,
doi:10.1145/1150402.1150491): by the shares of its members in the later clusters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

Event: TypeAlias = Literal["kept", "moved", "merged", "split", "dissolved", "absent"]

_MOST = 0.5
_PART = 0.25
_SAME = 0.9


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a cluster.

    `split`: several later clusters have a quarter of it or more each. Else, where one has more than half of
    it: `merged` if it has more than half of another cluster as well; `kept` if the two have at least 0.9 of
    their union in common; `moved` if less. `dissolved`: none of these; `absent`: none of its points are in
    the later clustering. `into`: the later clusters meant, the one with most of it first.
    """

    label: int
    event: Event
    into: list[int]


@dataclass(frozen=True, slots=True)
class Match:
    """A cluster and the later one that is its like, with their Jaccard index."""

    label: int
    later: int
    jaccard: float


@dataclass(frozen=True, slots=True)
class Lineage:
    """How two clusterings overlap.

    `labels`, `later_labels`: rows and columns of `overlap`, int64 (rows, columns), which counts points;
    -1 is noise. `fates`: of each cluster, noise left out. `new`: later clusters that no cluster was kept
    as, moved, merged or split into. `matching`: the best one-to-one matching by shared points, noise left
    out. `figures`: adjusted_rand and normalized_mutual_information, noise as a group of its own.
    """

    labels: list[int]
    later_labels: list[int]
    overlap: NDArray[np.int64]
    fates: list[Fate]
    new: list[int]
    matching: list[Match]
    figures: dict[str, float]


def trace(
    labels: NDArray[np.int64], later: NDArray[np.int64], *, clusters: int, later_clusters: int
) -> Lineage:
    """Compare the labels int64 (n,) of the same n points, n at least 1, in two clusterings.

    `clusters`, `later_clusters`: how many each has, also where none of these points are in some.
    """
    rows = _present(labels, clusters)
    columns = _present(later, later_clusters)
    overlap = np.zeros((len(rows), len(columns)), dtype=np.int64)
    np.add.at(overlap, (np.searchsorted(rows, labels), np.searchsorted(columns, later)), 1)
    inner = overlap[rows.tolist().count(-1) :, columns.tolist().count(-1) :]
    sizes = overlap.sum(axis=1)[len(rows) - clusters :]
    fates = _fates(inner, sizes, overlap.sum(axis=0)[len(columns) - later_clusters :])
    reached = {label for fate in fates for label in fate.into}
    return Lineage(
        rows.tolist(),
        columns.tolist(),
        overlap,
        fates,
        [label for label in range(later_clusters) if label not in reached],
        _matching(inner, sizes, overlap.sum(axis=0)[len(columns) - later_clusters :]),
        {
            "adjusted_rand": float(adjusted_rand_score(labels, later)),
            "normalized_mutual_information": float(normalized_mutual_info_score(labels, later)),
        },
    )


def _present(labels: NDArray[np.int64], clusters: int) -> NDArray[np.int64]:
    return np.arange(-1 if (labels == -1).any() else 0, clusters)


def _fates(
    inner: NDArray[np.int64], sizes: NDArray[np.int64], later_sizes: NDArray[np.int64]
) -> list[Fate]:
    shares = inner / np.maximum(sizes, 1)[:, None]
    arrivals = (shares > _MOST).sum(axis=0)
    return [
        Fate(label, *_fate(shares[label], arrivals, inner[label], int(sizes[label]), later_sizes))
        for label in range(len(sizes))
    ]


def _fate(
    shares: NDArray[np.float64],
    arrivals: NDArray[np.int64],
    shared: NDArray[np.int64],
    size: int,
    later_sizes: NDArray[np.int64],
) -> tuple[Event, list[int]]:
    if size == 0:
        return "absent", []
    parts = [int(i) for i in np.argsort(-shares, kind="stable") if shares[i] >= _PART]
    if len(parts) > 1:
        return "split", parts
    if not parts or shares[parts[0]] <= _MOST:
        return "dissolved", []
    (best,) = parts
    if arrivals[best] > 1:
        return "merged", parts
    together = size + int(later_sizes[best]) - int(shared[best])
    return ("kept" if shared[best] / together >= _SAME else "moved"), parts


def _matching(
    inner: NDArray[np.int64], sizes: NDArray[np.int64], later_sizes: NDArray[np.int64]
) -> list[Match]:
    """The one-to-one matching with most points shared, by the Hungarian method; without empty pairs."""
    pairs = zip(*linear_sum_assignment(inner, maximize=True), strict=True)
    return [
        Match(
            int(row),
            int(column),
            float(inner[row, column] / (sizes[row] + later_sizes[column] - inner[row, column])),
        )
        for row, column in pairs
        if inner[row, column]
    ]
