"""Spherical k-means: k-means by cosine, whose centres are directions.

Dhillon and Modha 2001, doi:10.1023/A:1007612920971; seeding and iterations are those of `kmeans`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lookalike_service.analysis.clustering.assign import NearestCentre
from lookalike_service.analysis.clustering.fit import Fit, number_by_size
from lookalike_service.analysis.clustering.kmeans import check_filled
from lookalike_service.analysis.clustering.lloyd import best_partition, inertia
from lookalike_service.analysis.points import Points
from lookalike_service.errors import InvalidParameters


def fit(points: Points, parameters: Mapping[str, Any], seed: int) -> Fit:
    """Cluster; `inertia` is of the points at unit length: twice the sum of cosine distances.

    Raises InvalidParameters for a point at the origin, or where fewer than k directions differ.
    """
    norms = np.linalg.norm(points, axis=1, keepdims=True)
    if not norms.all():
        row = int(np.argmin(norms))
        raise InvalidParameters(
            f"spherical_kmeans: row {row} of the points is zero, which has no direction; allowed: "
            "points away from the origin, or kmeans"
        )
    directions = np.asarray(points / norms, dtype=np.float32)
    k, starts, rounds = (parameters[name] for name in ("k", "n_init", "max_iter"))
    found = best_partition(directions, k, starts=starts, max_iter=rounds, seed=seed, unit=True)
    labels, order = number_by_size(found.labels)
    check_filled("spherical_kmeans", k, len(order), len(points))
    figures = {
        "inertia": inertia(directions, found.labels, found.centres),
        "iterations": float(found.iterations),
    }
    return Fit(labels, NearestCentre(found.centres[order]), figures)
