"""Of more vectors than memory should hold: which are clustered, and labels for the others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.clustering.assign import Assigner
from lookalike_service.analysis.clustering.fit import Fit, number_by_size
from lookalike_service.analysis.points import Points
from lookalike_service.analysis.progress import Progress
from lookalike_service.analysis.reduction import Reduction

MOST_NUMBERS = 2**27
"""So many float32, half a GB, are clustered at once: 104,857 vectors of 1,280 dimensions."""
_ROWS_AT_ONCE = 4096


def most_clustered(dim: int) -> int:
    """How many vectors of `dim` dimensions are clustered at once."""
    return max(MOST_NUMBERS // dim, 1)


def draw_sample(vectors: Points, *, seed: int) -> NDArray[np.int64] | None:
    """The rows to cluster of vectors (n, dim), in order, drawn at random; None for all of them."""
    most = most_clustered(vectors.shape[1])
    if len(vectors) <= most:
        return None
    return np.sort(np.random.default_rng(seed).choice(len(vectors), most, replace=False))


def assign_others(
    vectors: Points,
    rows: NDArray[np.int64],
    fit: Fit,
    reduction: Reduction | None,
    progress: Progress,
) -> tuple[NDArray[np.int64], Assigner]:
    """Labels int64 (n,) of all vectors, a block at a time, where `fit` is of those of `rows`.

    With the assigner numbered likewise: the assigned ones may make another cluster the largest.
    """
    labels = np.empty(len(vectors), dtype=np.int64)
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        progress("assigning the others", start, len(vectors))
        block = vectors[start : start + _ROWS_AT_ONCE]
        points = block if reduction is None else reduction.apply(block)
        labels[start : start + len(block)] = fit.assigner.assign(points)
    labels[rows] = fit.labels
    labels, order = number_by_size(labels)
    return labels, fit.assigner.renumbered(order)
