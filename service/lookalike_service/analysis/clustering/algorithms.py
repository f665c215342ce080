"""The clustering algorithms there are: one row each, whose code is the module of the same name."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, cast

from lookalike_service.analysis.clustering.fit import Fit
from lookalike_service.analysis.parameters import Parameter, Value, check_seed, resolve
from lookalike_service.analysis.points import Points, check_points
from lookalike_service.errors import InvalidParameters


@dataclass(frozen=True, slots=True)
class Algorithm:
    """An algorithm: what it does, its parameters, and the rule by which it labels new points."""

    name: str
    meaning: str
    parameters: tuple[Parameter, ...]
    assigner: str


ALGORITHMS: Mapping[str, Algorithm] = {
    algorithm.name: algorithm
    for algorithm in (
        Algorithm(
            "hdbscan",
            "Clusters of any shape by density, of unknown number; the rest is noise.",
            (
                Parameter(
                    "min_cluster_size",
                    int,
                    5,
                    "Smallest group that counts as a cluster.",
                    minimum=2,
                    at_most_points=True,
                ),
                Parameter(
                    "min_samples",
                    int,
                    None,
                    "Neighbours that make a point dense; more leaves more noise. "
                    "As min_cluster_size if left out.",
                    minimum=1,
                    at_most_points=True,
                ),
                Parameter(
                    "cluster_selection_method",
                    str,
                    "eom",
                    "eom: the most stable clusters; leaf: the finest.",
                    choices=("eom", "leaf"),
                ),
                Parameter(
                    "cluster_selection_epsilon",
                    float,
                    0.0,
                    "Clusters nearer to each other than this are merged.",
                    minimum=0,
                ),
            ),
            assigner="nearest_member",
        ),
        Algorithm(
            "kmeans",
            "A given number of round clusters, each around its mean.",
            (
                Parameter("k", int, 8, "Number of clusters.", minimum=1, at_most_points=True),
                Parameter(
                    "n_init",
                    int,
                    3,
                    "Starts from other seeds, of which the best is kept.",
                    minimum=1,
                    maximum=100,
                ),
                Parameter(
                    "max_iter",
                    int,
                    300,
                    "Most iterations of one start.",
                    minimum=1,
                    maximum=10_000,
                ),
            ),
            assigner="nearest_centre",
        ),
    )
}


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
    return resolve(name, find_algorithm(name).parameters, parameters, points=points)


def cluster(
    points: Points, algorithm: str, parameters: Mapping[str, object], *, seed: int = 0
) -> Fit:
    """Cluster points float32 (n, dim). Raises InvalidParameters saying what is possible here."""
    check_points(points)
    check_seed(seed)
    resolved = resolve_parameters(algorithm, parameters, points=len(points))
    # Imported when first run: scikit-learn takes a second, which the service's start need not wait for.
    module = importlib.import_module(f"{__package__}.{algorithm}")
    return cast("_Module", module).fit(points, resolved, seed)
