"""What every algorithm answers with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.clustering.assign import Assigner


@dataclass(frozen=True, slots=True)
class Fit:
    """A clustering of n points.

    `labels`: int64 (n,), 0 for the largest cluster, then by descending size (equal sizes by first
    row), -1 for noise. `figures`: what the algorithm itself measures, such as `inertia`.
    """

    labels: NDArray[np.int64]
    assigner: Assigner
    figures: Mapping[str, float] = field(default_factory=dict)


def number_by_size(
    labels: NDArray[np.integer],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Labels renumbered as in `Fit`, and the old label of each new one (clusters,); -1 stays."""
    clustered = np.flatnonzero(labels >= 0)
    old, first, sizes = np.unique(labels[clustered], return_index=True, return_counts=True)
    order = np.lexsort((first, -sizes))
    rank = np.empty(len(old), dtype=np.int64)
    rank[order] = np.arange(len(old))
    renumbered = np.full(len(labels), -1, dtype=np.int64)
    renumbered[clustered] = rank[np.searchsorted(old, labels[clustered])]
    return renumbered, old[order].astype(np.int64)
