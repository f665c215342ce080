"""How well embeddings find their own class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookalike_service.training.fit import Rows

NEIGHBOURS = 5
_AT_ONCE = 1024


def judge(
    embeddings: NDArray[np.float32], labels: NDArray[np.int64], gallery: Rows, queries: Rows
) -> dict[str, float]:
    """Retrieval of the `queries` among the `gallery`, both row numbers.

    `embeddings`: float32 (n, dim), unit L2 norm. `labels`: int64 (n,), from 0. `recall_at_1`: the share of
    queries whose nearest row, by cosine, is of their class. `knn_accuracy`: the share whose class is the most
    frequent among the 5 nearest, the nearer one where two are as frequent.
    """
    nearest = np.concatenate(
        [
            _nearest(embeddings[queries[start : start + _AT_ONCE]], embeddings[gallery])
            for start in range(0, len(queries), _AT_ONCE)
        ]
    )
    found, wanted = labels[gallery][nearest], labels[queries]
    voted = np.array([_vote(row) for row in found])
    return {
        "recall_at_1": float((found[:, 0] == wanted).mean()),
        "knn_accuracy": float((voted == wanted).mean()),
    }


def _nearest(queries: NDArray[np.float32], gallery: NDArray[np.float32]) -> NDArray[np.intp]:
    """The columns of the nearest 5 of the gallery for each query, nearest first."""
    cosines = queries @ gallery.T
    return np.argsort(-cosines, axis=1, kind="stable")[:, :NEIGHBOURS]


def _vote(labels: NDArray[np.int64]) -> int:
    """The most frequent; of equals the one that comes first."""
    values, first, counts = np.unique(labels, return_index=True, return_counts=True)
    return int(values[np.lexsort((first, -counts))[0]])
