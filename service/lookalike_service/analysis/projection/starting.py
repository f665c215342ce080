"""Where methods that move points step by step begin."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.pca import fit_pca
from lookalike_service.analysis.projection.layout import Drawing, pad

_NOISE = 1e-4
_ALIKE = 4  # times: maps by the same method are of about the same size


def starting_places(drawing: Drawing, extent: float) -> NDArray[np.float32]:
    """The points on their main axes, float32 (n, dimensions), with a spread of `extent` in each.

    That keeps the large structure (Kobak and Linderman 2021, doi:10.1038/s41587-020-00809-z) and, unlike a
    spectral start, never fails. Or, where the drawing has a `start`, there, scaled to the largest
    spread `extent` where it differs much. A little noise parts points that lie in one place. Not
    for points that are all equal.
    """
    if drawing.start is not None:
        places = drawing.start.astype(np.float64)
        spread = np.ptp(places, axis=0).max()
        if extent / _ALIKE <= spread <= extent * _ALIKE:
            extent = spread
    else:
        linear, _ = fit_pca(drawing.points, min(drawing.dimensions, *drawing.points.shape))
        places = pad(linear.apply(drawing.points), drawing.dimensions).astype(np.float64)
        spread = np.ptp(places, axis=0)
    places = extent * (places - places.mean(axis=0)) / np.maximum(spread, 1e-12)
    noise = np.random.default_rng(drawing.seed).normal(0, _NOISE * extent, places.shape)
    begun: NDArray[np.float32] = (places + noise).astype(np.float32)
    return begun
