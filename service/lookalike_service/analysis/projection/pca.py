"""The plane (or space) of most variance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lookalike_service.analysis.pca import fit_pca
from lookalike_service.analysis.points import Points, all_equal
from lookalike_service.analysis.progress import Progress
from lookalike_service.analysis.projection.layout import Layout, pad


def fit(
    points: Points, dimensions: int, parameters: Mapping[str, Any], seed: int, progress: Progress
) -> Layout:
    """Project; exact, and the same for every seed. Equal points all lie at the origin.

    Model: `mean` (dim,) and `components` (dimensions, dim), zeros where there are fewer components.
    """
    del parameters, seed  # it takes none
    progress("projecting", 0, None)
    dim = points.shape[1]
    if all_equal(points):
        none = np.zeros((dimensions, dim), dtype=np.float32)
        model = {"mean": points[0].astype(np.float32), "components": none}
        return Layout(np.zeros((len(points), dimensions), dtype=np.float32), model)
    reduction, explained = fit_pca(points, min(dimensions, len(points), dim))
    components = np.pad(reduction.components, ((0, dimensions - len(reduction.components)), (0, 0)))
    figures: dict[str, float | None] = {"explained_variance": float(explained.sum())}
    for axis, share in enumerate(explained, start=1):
        figures[f"explained_variance_{axis}"] = float(share)
    model = {"mean": reduction.mean, "components": components}
    return Layout(pad(reduction.apply(points), dimensions), model, figures)
