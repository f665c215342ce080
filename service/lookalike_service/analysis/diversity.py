"""Choosing hits that are like the query and unlike each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.points import Points


def maximal_marginal_relevance(
    points: Points, relevance: NDArray[np.float64], count: int, *, diversity: float
) -> list[int]:
    """The rows of `count` points, or of all if there are fewer, in the order in which they are chosen.

    Each is the one with the largest (1 - d) · relevance - d · (its largest cosine with those chosen before),
    where d is `diversity`, 0 to 1; of equals the first (Carbonell & Goldstein 1998,
    doi:10.1145/290941.291025). With d = 0 that is the order of relevance.

    `points`: float32 (n, dim), unit L2 norm. `relevance`: (n,), cosines with the query.
    """
    chosen: list[int] = []
    value = relevance.astype(np.float64)  # the first has none before it, so relevance alone decides
    closest = np.full(len(points), -np.inf)
    for _ in range(min(count, len(points))):
        row = int(np.argmax(value))
        chosen.append(row)
        np.maximum(closest, points @ points[row], out=closest)
        value = (1 - diversity) * relevance - diversity * closest
        value[chosen] = -np.inf
    return chosen
