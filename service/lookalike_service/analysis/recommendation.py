"""What is like some examples and unlike others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.points import Points


def average_vector(positive: Points, negative: Points) -> NDArray[np.float64]:
    """2 mean(positive) - mean(negative), the mean of the positive alone without any negative: (dim,).

    As Qdrant's strategy of the name. The length means nothing; zeros if the examples cancel out.

    `positive`, `negative`: float32 (n, dim), unit L2 norm; `negative` may have no rows.
    """
    liked = positive.mean(axis=0, dtype=np.float64)
    if len(negative) == 0:
        return np.asarray(liked)
    return np.asarray(2 * liked - negative.mean(axis=0, dtype=np.float64))


def best_scores(
    points: Points, positive: Points, negative: Points
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Each point's cosine with the nearest positive, and whether no negative is nearer: (n,), (n,).

    All are float32 (rows, dim), unit L2 norm; `negative` may have no rows.
    """
    best = (points @ positive.T).max(axis=1).astype(np.float64)
    worst = (points @ negative.T).max(axis=1, initial=-np.inf)
    return best, best > worst
