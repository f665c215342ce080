"""DBSCAN, by scikit-learn: what is chained by neighbours nearer than eps, the rest is noise.

Ester, Kriegel, Sander and Xu 1996. Distances are Euclidean: on vectors of unit length a cosine c is at
the distance sqrt(2 - 2 c).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.cluster import DBSCAN
from sklearn.metrics import pairwise_distances

from lookalike_service.analysis.clustering.assign import keep_members
from lookalike_service.analysis.clustering.fit import Fit, number_by_size
from lookalike_service.analysis.clustering.neighbours import knee, neighbour_distances
from lookalike_service.analysis.points import Points
from lookalike_service.errors import InvalidParameters

_MOST_PAIRS = 2**26  # of neighbours: scikit-learn takes some 24 bytes for each
_SAMPLE = 512


def fit(points: Points, parameters: Mapping[str, Any], seed: int) -> Fit:
    """Cluster; the figure `eps` says which was used. The seed only draws the assigner's members.

    Raises InvalidParameters for an eps within which there are too many points.
    """
    min_samples, eps = parameters["min_samples"], parameters["eps"]
    if eps is None:
        eps = knee_distance(points, min_samples)
    _check_pairs(points, eps, seed)
    model = DBSCAN(eps=eps, min_samples=min_samples, algorithm="brute").fit(points)
    labels, _ = number_by_size(model.labels_)
    return Fit(labels, keep_members(points, labels, seed), {"eps": float(eps)})


def _check_pairs(points: Points, eps: float, seed: int) -> None:
    """Raise InvalidParameters where a sample of the points has too many neighbours for memory."""
    count = len(points)
    if count**2 <= _MOST_PAIRS:
        return
    rows = np.random.default_rng(seed).choice(count, min(_SAMPLE, count), replace=False)
    neighbours = float((pairwise_distances(points[rows], points) <= eps).sum(axis=1).mean())
    if neighbours * count > _MOST_PAIRS:
        raise InvalidParameters(
            f"dbscan: within eps {eps:g} of a point are about {neighbours:.0f} of the {count} points; memory "
            f"is there for {_MOST_PAIRS // count}. Allowed here: a smaller eps"
        )


def knee_distance(points: Points, min_samples: int) -> float:
    """The distance at the knee of the points' sorted distances to their (min_samples - 1)th other.

    Never zero: where the knee lies among equal points it is the smallest distance there is.
    """
    k = min(max(min_samples - 1, 1), len(points) - 1)
    distances = np.sort(neighbour_distances(points, k)[:, -1])
    at_knee = distances[knee(distances)]
    if at_knee > 0:
        return float(at_knee)
    return float(distances[distances > 0].min(initial=np.inf)) if distances[-1] > 0 else 1e-6
