"""The Fréchet distance of two sets of points, each taken for a Gaussian.

‖μ₁ - μ₂‖² + tr(C₁ + C₂ - 2 (C₁ C₂)^½): Dowson & Landau 1982, doi:10.1016/0047-259X(82)90077-X; for images
Heusel et al. 2017, arXiv:1706.08500. It is biased upwards, the more the fewer points there are for each
dimension (Chong & Forsyth 2020, arXiv:1911.07023), so it is given with what sets without any difference
would have.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.comparison.bootstrap import Estimate, interval, resampled_means
from lookalike_service.analysis.points import Points

_BLOCK = 4096
_SPLITS = 5
Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Gaussian:
    """`mean`: float64 (dim,); `covariance`: float64 (dim, dim), unbiased; of so many points."""

    mean: Matrix
    covariance: Matrix
    count: int


@dataclass(frozen=True, slots=True)
class Frechet:
    """The distance, its two terms, and the mean distance of random halves of all points together."""

    distance: Estimate
    mean_term: float
    covariance_term: float
    no_difference: float


@dataclass(frozen=True, slots=True, eq=False)
class _Root:
    """F with F Fᵀ = C, (dim, rank), and its pseudo-inverse, (rank, dim); what is rounding is left out."""

    factor: Matrix
    inverse: Matrix


def fit_gaussian(points: Points) -> Gaussian:
    """Mean and covariance of float32 (n, dim), n ≥ 2, computed in float64."""
    mean = points.mean(axis=0, dtype=np.float64)
    scatter = np.zeros((points.shape[1],) * 2)
    for block in _blocks(points):
        centred = block - mean
        scatter += centred.T @ centred
    return Gaussian(mean, scatter / (len(points) - 1), len(points))


def frechet_distance(first: Gaussian, second: Gaussian) -> float:
    """The distance, 0 for equal Gaussians."""
    roots = _root(first.covariance).factor, _root(second.covariance).factor
    shared = np.linalg.svd(roots[0].T @ roots[1], compute_uv=False).astype(np.float64)
    return _mean_term(first, second) + _covariance_term(first, second, shared)


def measure_frechet(first: Points, second: Points, rng: np.random.Generator) -> Frechet:
    """The distance of two sets, float32 (n, dim) and (m, dim), with its interval.

    The interval is a bootstrap of the distance's first-order expansion. Samples drawn with replacement are
    of fewer different points, so that their own distances are all too large.
    """
    one, two = fit_gaussian(first), fit_gaussian(second)
    roots = _root(one.covariance), _root(two.covariance)
    left, shared, right = np.linalg.svd(roots[0].factor.T @ roots[1].factor, full_matrices=False)
    mean_term, rest = _mean_term(one, two), _covariance_term(one, two, shared)
    distance = mean_term + rest
    towards = one.mean - two.mean
    weights = np.sqrt(shared)[:, None]
    carried = weights * (left.T @ roots[0].inverse), weights * (right @ roots[1].inverse)
    replicates = (
        distance
        + resampled_means(_influence(first, one.mean, towards, carried[0]), rng)
        + resampled_means(_influence(second, two.mean, -towards, carried[1]), rng)
    )
    bounds = interval(distance, np.maximum(replicates, 0))
    return Frechet(bounds, mean_term, rest, _of_halves(first, second, rng))


def _mean_term(first: Gaussian, second: Gaussian) -> float:
    return float(((first.mean - second.mean) ** 2).sum())


def _covariance_term(first: Gaussian, second: Gaussian, shared: Matrix) -> float:
    """`shared`: the singular values of F₁ᵀ F₂, which are the eigenvalues of (C₁ C₂)^½."""
    term = np.trace(first.covariance) + np.trace(second.covariance) - 2 * shared.sum()
    return float(max(term, 0.0))


def _root(covariance: Matrix) -> _Root:
    values, vectors = np.linalg.eigh(covariance)
    real = values > values.max(initial=0) * len(values) * np.finfo(np.float64).eps
    roots = np.sqrt(values[real])
    return _Root(vectors[:, real] * roots, (vectors[:, real] / roots).T)


def _influence(points: Points, mean: Matrix, towards: Matrix, carried: Matrix) -> Matrix:
    """What each point adds to the distance, to first order: float64 (n,) of mean zero.

    The derivative by the mean is twice `towards`, (dim,), from the other mean to this one; by the covariance
    it is 1 - T, where T = KᵀK carries this Gaussian onto the other and K is `carried`, (k, dim).
    """
    parts = []
    for block in _blocks(points):
        centred = block - mean
        moved = ((centred @ carried.T) ** 2).sum(axis=1)
        parts.append(2 * centred @ towards + (centred**2).sum(axis=1) - moved)
    found = np.concatenate(parts)
    return np.asarray(found - found.mean())


def _of_halves(first: Points, second: Points, rng: np.random.Generator) -> float:
    """The mean distance of the same points dealt out at random to two sets of the same sizes."""
    n, total = len(first), len(first) + len(second)
    distances = []
    for _ in range(_SPLITS):
        mine = np.zeros(total, dtype=bool)
        mine[rng.choice(total, n, replace=False)] = True
        one = _fit_parts(first, second, mine)
        two = _fit_parts(first, second, ~mine)
        distances.append(frechet_distance(one, two))
    return float(np.mean(distances))


def _fit_parts(first: Points, second: Points, chosen: NDArray[np.bool_]) -> Gaussian:
    """The Gaussian of the chosen of all points; in float32 where that is exact enough for a mean of five."""
    count = int(chosen.sum())
    mean = sum(
        (block[of].sum(axis=0, dtype=np.float64) for block, of in _chosen(first, second, chosen)),
        np.zeros(first.shape[1]),
    ) / count  # fmt: skip
    scatter = np.zeros((first.shape[1],) * 2)
    for block, of in _chosen(first, second, chosen):
        centred = block[of] - mean.astype(np.float32)
        scatter += centred.T @ centred
    return Gaussian(mean, scatter / (count - 1), count)


def _chosen(
    first: Points, second: Points, chosen: NDArray[np.bool_]
) -> Iterator[tuple[Points, NDArray[np.bool_]]]:
    for points, of in ((first, chosen[: len(first)]), (second, chosen[len(first) :])):
        for start in range(0, len(points), _BLOCK):
            yield points[start : start + _BLOCK], of[start : start + _BLOCK]


def _blocks(points: Points) -> Iterator[Matrix]:
    for start in range(0, len(points), _BLOCK):
        yield points[start : start + _BLOCK].astype(np.float64)
