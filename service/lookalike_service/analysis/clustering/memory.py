"""What would take more memory than a machine is likely to have, refused before it is begun."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from lookalike_service.analysis.parameters import Value
from lookalike_service.errors import InvalidParameters

MOST_COVARIANCES = 2**24
"""Numbers of the covariances of a mixture: 128 MiB, of which scikit-learn holds about six."""
MOST_SHARES = 2**26
"""Numbers that say which point is of which Gaussian: 512 MiB, held about five times."""
MOST_NEIGHBOURS = 2**26
"""Neighbours of all points together: with distances, order and masks about 40 bytes each."""
_BY_DENSITY = ("dbscan", "hdbscan")


def check_memory(
    name: str, parameters: Mapping[str, Value], *, points: int, dim: int | None
) -> None:
    """Raise InvalidParameters if so many points take too much memory, saying what takes less.

    `dim`: dimensions, after reduction; None where they are not known yet.
    """
    if name == "gaussian_mixture":
        _check_mixture(parameters, points, dim)
    if name in _BY_DENSITY:
        _check_neighbours(name, parameters, points)


def _check_mixture(parameters: Mapping[str, Value], points: int, dim: int | None) -> None:
    k = cast("int", parameters["k"])
    if k * points > MOST_SHARES:
        raise InvalidParameters(
            f"gaussian_mixture: k is {k}; {points} points have memory for {MOST_SHARES // points}. "
            "Allowed here: that many, or kmeans"
        )
    if parameters["covariance"] == "full" and dim is not None and k * dim**2 > MOST_COVARIANCES:
        most = MOST_COVARIANCES // dim**2
        raise InvalidParameters(
            f"gaussian_mixture: {k} full covariances of {dim} dimensions take too much memory. Allowed: "
            f"{f'k up to {most}, ' if most else ''}fewer dimensions by a reduction such as pca:50, or "
            "covariance diag"
        )


def _check_neighbours(name: str, parameters: Mapping[str, Value], points: int) -> None:
    if name == "dbscan" and parameters["eps"] is not None:
        return
    wanted = cast("int", parameters["min_samples"] or parameters.get("min_cluster_size"))
    if wanted * points > MOST_NEIGHBOURS:
        raise InvalidParameters(
            f"{name}: min_samples is {wanted} (as min_cluster_size, if left out); {points} points have "
            f"memory for {MOST_NEIGHBOURS // points} neighbours of each. Allowed here: min_samples up to that"
        )
