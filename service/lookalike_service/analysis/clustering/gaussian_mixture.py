"""A mixture of Gaussians, by scikit-learn: round or stretched clusters that may overlap.

Dempster, Laird and Rubin 1977 (expectation-maximisation), from k-means.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from lookalike_service.analysis.clustering.assign import MostLikely
from lookalike_service.analysis.clustering.fit import Fit, number_by_size
from lookalike_service.analysis.points import Points
from lookalike_service.errors import InvalidParameters


def fit(points: Points, parameters: Mapping[str, Any], seed: int) -> Fit:
    """Cluster, leaving out components without points; `converged` is 1 or 0, of `bic` lower is better."""
    if len(points) < 2:
        raise InvalidParameters(
            "gaussian_mixture: a variance takes 2, and there are only 1 points; allowed here: kmeans"
        )
    model = GaussianMixture(
        n_components=parameters["k"],
        covariance_type=parameters["covariance"],
        n_init=parameters["n_init"],
        max_iter=parameters["max_iter"],
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the figure `converged` says so
        wide = np.asarray(points, dtype=np.float64)
        model.fit(wide)
    factors = model.precisions_cholesky_
    if parameters["covariance"] == "spherical":
        factors = np.repeat(factors[:, None], points.shape[1], axis=1)
    rule = MostLikely(model.means_, factors, np.log(np.maximum(model.weights_, 1e-300)))
    labels, order = number_by_size(rule.assign(points))
    figures = {"bic": float(model.bic(wide)), "converged": float(model.converged_)}
    return Fit(labels, rule.renumbered(order), figures)
