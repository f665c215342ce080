"""Running a clustering algorithm: checked before, the same contract for all."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Protocol, cast

import numpy as np

from lookalike_service.analysis.clustering.assign import keep_members
from lookalike_service.analysis.clustering.catalog import ALGORITHMS, Algorithm
from lookalike_service.analysis.clustering.fit import Fit, number_by_size
from lookalike_service.analysis.clustering.memory import check_memory
from lookalike_service.analysis.parameters import Value, check_seed, resolve
from lookalike_service.analysis.points import Points, all_equal, check_points
from lookalike_service.errors import InvalidParameters

_MOST_SWEPT = 50


class _Module(Protocol):
    def fit(self, points: Points, parameters: Mapping[str, Value], seed: int) -> Fit: ...


def find_algorithm(name: str) -> Algorithm:
    """The algorithm of this name. Raises InvalidParameters naming those there are."""
    if name not in ALGORITHMS:
        raise InvalidParameters(f"algorithm {name!r} is not one; allowed: {', '.join(ALGORITHMS)}")
    return ALGORITHMS[name]


def resolve_parameters(
    name: str, parameters: Mapping[str, object], *, points: int
) -> dict[str, Value]:
    """The algorithm's parameters with defaults filled in.

    Raises InvalidParameters, for an unknown algorithm too, saying what is possible for so many points.
    """
    return resolve(name, find_algorithm(name).parameters, parameters, points=_fitted(name, points))


def resolve_range(
    name: str, parameters: Mapping[str, object], *, points: int
) -> tuple[dict[str, Value], range | None]:
    """The same where `k` may be a range `[from, to]`, ends included: then with all k that it means.

    The parameters' `k` is the first of it. Raises InvalidParameters as above, and for a range of more than
    50 values.
    """
    asked = parameters.get("k")
    if not isinstance(asked, list | tuple):
        return resolve_parameters(name, parameters, points=points), None
    if len(asked) != 2:
        raise InvalidParameters(
            f"{name}: k is {list(asked)}; allowed: a whole number, or two as [from, to]"
        )
    ends = [resolve_parameters(name, {**parameters, "k": k}, points=points) for k in asked]
    first, last = (cast("int", end["k"]) for end in ends)
    if not 0 <= last - first < _MOST_SWEPT:
        raise InvalidParameters(
            f"{name}: k is from {first} to {last}; allowed: from the smaller to the larger, at most "
            f"{_MOST_SWEPT} values"
        )
    return ends[0], range(first, last + 1)


def check_fits(name: str, parameters: Mapping[str, Value], *, points: int, dim: int | None) -> None:
    """Raise InvalidParameters if resolved parameters take too much memory here; see `check_memory`."""
    check_memory(name, parameters, points=_fitted(name, points), dim=dim)


def _fitted(name: str, points: int) -> int:
    """How many of so many points the algorithm is fitted to."""
    most = find_algorithm(name).most_points
    return points if most is None else min(points, most)


def cluster(
    points: Points, algorithm: str, parameters: Mapping[str, object], *, seed: int = 0
) -> Fit:
    """Cluster points float32 (n, dim). Raises InvalidParameters saying what is possible here.

    Of more points than the algorithm's `most_points`, so many are drawn at random and clustered, and the
    others are assigned; the figure `fitted_points` says so.
    """
    check_points(points)
    check_seed(seed)
    resolved = resolve_parameters(algorithm, parameters, points=len(points))
    most = _fitted(algorithm, len(points))
    check_fits(algorithm, resolved, points=most, dim=points.shape[1])
    if most == len(points):
        return _fit(points, algorithm, resolved, seed)
    rows = np.sort(np.random.default_rng(seed).choice(len(points), most, replace=False))
    fitted = _fit(np.ascontiguousarray(points[rows]), algorithm, resolved, seed)
    labels = fitted.assigner.assign(points)
    labels[rows] = fitted.labels
    labels, order = number_by_size(labels)
    return Fit(
        labels, fitted.assigner.renumbered(order), {**fitted.figures, "fitted_points": float(most)}
    )


def _fit(points: Points, name: str, parameters: Mapping[str, Value], seed: int) -> Fit:
    algorithm, k = find_algorithm(name), parameters.get("k")
    if isinstance(k, int) and not algorithm.checks_k:
        differing = len(np.unique(points, axis=0)) if k > 1 else 1
        if differing < k:
            raise InvalidParameters(
                f"{name}: k is {k}, but only {differing} of the {len(points)} points differ; allowed "
                f"here: 1 to {differing}"
            )
    if algorithm.assigner == "nearest_member" and all_equal(points):
        labels = np.zeros(len(points), dtype=np.int64)  # no density, and no graph, tells them apart
        return Fit(labels, keep_members(points, labels, seed))
    # Imported when first run: the libraries take seconds, which the service's start need not wait for.
    module = importlib.import_module(f"{__package__}.{name}")
    return cast("_Module", module).fit(points, parameters, seed)
