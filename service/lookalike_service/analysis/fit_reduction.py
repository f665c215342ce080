"""Fitting a reduction to points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.pca import fit_pca
from lookalike_service.analysis.points import Points, all_equal
from lookalike_service.analysis.progress import Progress
from lookalike_service.analysis.projection.layout import Drawing
from lookalike_service.analysis.reduction import (
    AmongAnchors,
    Linear,
    Reduction,
    Wanted,
    check_reduction,
)
from lookalike_service.errors import InvalidParameters

_MOST_ANCHORS = 4096  # of 1280 dimensions: 20 MB to store
_LEAST_SHARE = (
    1e-9  # of the variance: a component below is rounding, and whitening would blow it up
)


def reduce(
    points: Points, wanted: Wanted, *, seed: int, progress: Progress
) -> tuple[Points, Reduction, dict[str, float | None]]:
    """The points with fewer dimensions, float32 (n, kept), the fitted map, and figures of it.

    Figures: `components`, and where it is known `explained_variance`, their share of the variance. Raises
    InvalidParameters where there are not as many components, or no variance at all.
    """
    check_reduction(wanted, points=len(points), dim=points.shape[1])
    if all_equal(points):
        raise InvalidParameters(
            f"all points are equal: there is no variance for {wanted.method.upper()} to keep"
        )
    if wanted.method == "umap":
        return _umap(points, int(wanted.amount), seed, progress)
    if wanted.method == "random":
        linear, shares = _random(points, int(wanted.amount), seed), None
    else:
        linear, shares = fit_pca(points, wanted.amount)
    if wanted.method == "whiten" and shares is not None:
        linear = _whitened(points, linear, shares)
    figures: dict[str, float | None] = {"components": float(len(linear.components))}
    if shares is not None:
        figures["explained_variance"] = float(shares.sum())
    return linear.apply(points), linear, figures


def _whitened(points: Points, linear: Linear, shares: NDArray[np.float64]) -> Linear:
    real = shares > _LEAST_SHARE
    variances = shares[real] * points.var(axis=0, dtype=np.float64, ddof=1).sum()
    components = linear.components[real] / np.sqrt(variances)[:, None]
    return Linear(linear.mean, components.astype(np.float32))


def _random(points: Points, count: int, seed: int) -> Linear:
    """Gaussian directions: Johnson and Lindenstrauss 1984; distances keep their size on average."""
    dim = points.shape[1]
    directions = np.random.default_rng(seed).normal(0, 1 / np.sqrt(count), (count, dim))
    mean = points.mean(axis=0, dtype=np.float64).astype(np.float32)
    return Linear(mean, directions.astype(np.float32))


def _umap(
    points: Points, count: int, seed: int, progress: Progress
) -> tuple[Points, Reduction, dict[str, float | None]]:
    # Imported when first run: numba takes seconds, which other reductions need not wait for.
    from lookalike_service.analysis.projection import umap  # noqa: PLC0415

    # Packed as tightly as can be, which is what clustering wants and a map to look at does not.
    parameters = {"n_neighbors": 15, "min_dist": 0.0}
    places = umap.fit(Drawing(points, count, parameters, seed, progress)).coordinates
    rows = np.arange(len(points))
    if len(rows) > _MOST_ANCHORS:
        rows = np.sort(np.random.default_rng(seed).choice(rows, _MOST_ANCHORS, replace=False))
    anchors = np.asarray(points[rows], dtype=np.float32)
    return places, AmongAnchors(anchors, places[rows]), {"components": float(count)}
