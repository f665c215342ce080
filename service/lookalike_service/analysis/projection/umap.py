"""UMAP: keeps neighbours together, by umap-learn on exact nearest neighbours.

McInnes, Healy and Melville 2018, arXiv:1802.03426. The neighbours come from BLAS rather than from
pynndescent, whose compilation costs a fresh process more than small collections take; distances
are Euclidean, which on vectors of unit length order neighbours as the cosine does. It starts from
PCA, which keeps the large structure (Kobak and Linderman 2021, doi:10.1038/s41587-020-00809-z) and,
unlike the spectral start, never fails.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.neighbors import NearestNeighbors

from lookalike_service.analysis.points import Points, all_equal
from lookalike_service.analysis.progress import Progress
from lookalike_service.analysis.projection.layout import Layout

with warnings.catch_warnings():
    warnings.simplefilter("ignore", ImportWarning)  # for its variant on tensorflow, not used here
    from umap import UMAP


def fit(
    points: Points, dimensions: int, parameters: Mapping[str, Any], seed: int, progress: Progress
) -> Layout:
    """Lay out; the same seed gives the same map. Equal points all lie at the origin.

    With too few points for `n_neighbors` all others are neighbours; the figure `n_neighbors` says
    how many were used.
    """
    count = len(points)
    if all_equal(points):
        return Layout(np.zeros((count, dimensions), dtype=np.float32))
    n_neighbors = min(parameters["n_neighbors"], count - 1)
    progress("finding neighbours", 0, None)
    neighbours = nearest_neighbours(points, n_neighbors)
    progress("laying out", 0, None)
    model = UMAP(
        n_components=dimensions,
        n_neighbors=n_neighbors,
        min_dist=parameters["min_dist"],
        precomputed_knn=neighbours,
        init="pca",
        random_state=seed,
        n_jobs=1,  # more threads would make the seed meaningless
    )
    with warnings.catch_warnings():
        # No search index is given along, for new points are placed by `interpolate`.
        warnings.filterwarnings("ignore", message=".*transform will be unavailable.*")
        coordinates = model.fit_transform(points)
    return Layout(coordinates.astype(np.float32), figures={"n_neighbors": float(n_neighbors)})


def nearest_neighbours(points: Points, k: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Indices and Euclidean distances (n, k) of each point's nearest, itself first."""
    search = NearestNeighbors(n_neighbors=k - 1, algorithm="brute").fit(points)
    distances, indices = search.kneighbors()  # of the points themselves, leaving each one out
    itself = np.arange(len(points))[:, None]
    return (
        np.hstack([itself, indices]).astype(np.int32),
        np.hstack([np.zeros((len(points), 1)), distances]).astype(np.float32),
    )
