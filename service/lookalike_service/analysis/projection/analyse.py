"""A whole projection: project, measure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.manifold import trustworthiness

from lookalike_service.analysis.points import Points, all_equal
from lookalike_service.analysis.progress import Progress
from lookalike_service.analysis.projection.methods import project

TRUSTWORTHINESS_POINTS = 3_000
"""Up to so many points the trustworthiness is exact; beyond, it is of so many drawn at random."""
_NEIGHBOURS = 15


def analyse(
    arrays: Mapping[str, NDArray[Any]], parameters: Mapping[str, Any], progress: Progress
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Project `arrays["vectors"]`, float32 (n, dim).

    `parameters`: `method`, `parameters`, `dimensions` and `seed`. Arrays out: `coordinates` and the
    method's model. Figures out: `diagnostics`. Raises InvalidParameters.
    """
    vectors = arrays["vectors"]
    layout = project(
        vectors,
        parameters["method"],
        parameters["parameters"],
        dimensions=parameters["dimensions"],
        seed=parameters["seed"],
        progress=progress,
    )
    progress("measuring", 0, None)
    measured = measure_projection(vectors, layout.coordinates, seed=parameters["seed"])
    out = {"coordinates": layout.coordinates, **layout.model}
    return out, {"diagnostics": {**measured, **layout.figures}}


def measure_projection(
    points: Points, coordinates: NDArray[np.float32], *, seed: int = 0
) -> dict[str, float | None]:
    """`trustworthiness`, 0 to 1: whether neighbours in the map are neighbours in truth.

    Venna and Kaski 2001, doi:10.1007/3-540-44668-0_68, over 15 neighbours (fewer below 32 points),
    by scikit-learn; over `trustworthiness_points` points: all, or `TRUSTWORTHINESS_POINTS` drawn by
    `seed`. None below three points, or where all are equal.
    """
    rows = np.arange(len(points))
    if len(rows) > TRUSTWORTHINESS_POINTS:
        draw = np.random.default_rng(seed).choice(len(rows), TRUSTWORTHINESS_POINTS, replace=False)
        rows = np.sort(draw)
    neighbours = min(_NEIGHBOURS, (len(rows) - 1) // 2)
    if neighbours < 1 or all_equal(points):
        return {"trustworthiness": None, "trustworthiness_points": None}
    score = trustworthiness(points[rows], coordinates[rows], n_neighbors=neighbours)
    return {"trustworthiness": float(score), "trustworthiness_points": float(len(rows))}
