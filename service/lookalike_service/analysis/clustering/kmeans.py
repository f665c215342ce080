"""k-means with k-means++ seeding, on BLAS.

On vectors of unit length the squared Euclidean distance it minimises is twice the cosine distance.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lookalike_service.analysis.clustering.assign import NearestCentre
from lookalike_service.analysis.clustering.fit import Fit, number_by_size
from lookalike_service.analysis.clustering.lloyd import best_partition, centred, inertia
from lookalike_service.analysis.points import Points
from lookalike_service.errors import InvalidParameters


def fit(points: Points, parameters: Mapping[str, Any], seed: int) -> Fit:
    """Cluster; raises InvalidParameters where fewer than k points differ."""
    moved, mean = centred(points)  # without a common offset float32 tells near distances apart
    found = best_partition(
        moved,
        parameters["k"],
        starts=parameters["n_init"],
        max_iter=parameters["max_iter"],
        seed=seed,
    )
    labels, order = number_by_size(found.labels)
    check_filled("kmeans", parameters["k"], len(order), len(points))
    figures = {
        "inertia": inertia(moved, found.labels, found.centres),
        "iterations": float(found.iterations),
    }
    return Fit(labels, NearestCentre(found.centres[order] + mean), figures)


def check_filled(algorithm: str, k: int, filled: int, points: int) -> None:
    """Raise InvalidParameters if some of the k clusters have no points, as too few points differ."""
    if filled < k:
        raise InvalidParameters(
            f"{algorithm}: k is {k}, but only {filled} of the {points} points differ; allowed here: "
            f"1 to {filled}"
        )
