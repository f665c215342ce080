"""Principal components."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from lookalike_service.analysis.points import Points, all_equal
from lookalike_service.analysis.reduction import Linear, Wanted, check_reduction
from lookalike_service.errors import InvalidParameters


def fit_pca(points: Points, amount: int | float) -> tuple[Linear, NDArray[np.float64]]:
    """The first components (int), or as many as hold a share of the variance (float in (0, 1)).

    With them each one's share of the variance, float64 (kept,). Pearson 1901, by scikit-learn's
    exact solvers: there is nothing random in it. Raises InvalidParameters where there are not as
    many components, or no variance at all.
    """
    check_reduction(Wanted("pca", amount), points=len(points), dim=points.shape[1])
    if all_equal(points):
        raise InvalidParameters("all points are equal: there is no variance for PCA to keep")
    solver = "covariance_eigh" if len(points) >= points.shape[1] else "full"
    model = PCA(n_components=amount, svd_solver=solver).fit(points)
    linear = Linear(model.mean_.astype(np.float32), model.components_.astype(np.float32))
    return linear, model.explained_variance_ratio_.astype(np.float64)
