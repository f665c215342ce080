"""The plane (or space) of most variance."""

from __future__ import annotations

import numpy as np

from lookalike_service.analysis.pca import fit_pca
from lookalike_service.analysis.points import all_equal
from lookalike_service.analysis.projection.layout import Drawing, Layout, pad

SHARES = (90, 95, 99)
"""Percentages of the variance of which it is said how many components hold them."""


def fit(drawing: Drawing) -> Layout:
    """Project; exact, and the same for every seed. Equal points all lie at the origin.

    Model: `mean` (dim,) and `components` (dimensions, dim), zeros where there are fewer components, and
    `explained_variance`, float32 (min(n, dim),): the share that so many components hold together.
    """
    points, dimensions = drawing.points, drawing.dimensions
    drawing.progress("projecting", 0, None)
    count, dim = points.shape
    if all_equal(points):
        none = np.zeros((dimensions, dim), dtype=np.float32)
        model = {"mean": points[0].astype(np.float32), "components": none}
        return Layout(np.zeros((count, dimensions), dtype=np.float32), model)
    linear, shares = fit_pca(points, min(count, dim))
    reduction = type(linear)(linear.mean, linear.components[:dimensions])
    components = np.pad(reduction.components, ((0, dimensions - len(reduction.components)), (0, 0)))
    together = np.minimum(shares.cumsum(), 1)
    figures: dict[str, float | None] = {"explained_variance": float(shares[:dimensions].sum())}
    for axis, share in enumerate(shares[:dimensions], start=1):
        figures[f"explained_variance_{axis}"] = float(share)
    for share in SHARES:  # a millionth is rounding
        fewer = int((together < share / 100 - 1e-6).sum())
        figures[f"components_{share}"] = float(min(fewer + 1, len(together)))
    model = {
        "mean": reduction.mean,
        "components": components,
        "explained_variance": together.astype(np.float32),
    }
    return Layout(pad(reduction.apply(points), dimensions), model, figures)
