"""The clustering algorithms there are: one row each, whose code is the module of the same name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from lookalike_service.analysis.parameters import Parameter


@dataclass(frozen=True, slots=True)
class Algorithm:
    """An algorithm: what it does, its parameters, and the rule by which it labels new points.

    `most_points`: of more, so many are drawn and the others assigned, as time or memory grow with the square.
    `checks_k`: it finds out by itself where fewer than k points differ.
    """

    name: str
    meaning: str
    parameters: tuple[Parameter, ...]
    assigner: str
    most_points: int | None = None
    checks_k: bool = False


_K = Parameter("k", int, 8, "Number of clusters.", minimum=1, maximum=10_000, at_most_points=True)
_STARTS = Parameter(
    "n_init", int, 3, "Starts from other seeds, of which the best is kept.", minimum=1, maximum=100
)
_ONE_START = replace(_STARTS, default=1)
_ROUNDS = Parameter(
    "max_iter", int, 300, "Most iterations of one start.", minimum=1, maximum=10_000
)
_NEIGHBOURS = Parameter(
    "n_neighbors", int, 15, "Neighbours that each point is joined to.", minimum=2, maximum=200
)
_SMALLEST = Parameter(
    "min_cluster_size",
    int,
    5,
    "Smallest group that counts as a cluster.",
    minimum=2,
    at_most_points=True,
)
_DENSE = Parameter(
    "min_samples",
    int,
    5,
    "Points nearer than eps, itself included, that make a point part of a cluster's core.",
    minimum=1,
    at_most_points=True,
)

_AROUND_CENTRES = (
    Algorithm(
        "kmeans",
        "A given number of round clusters, each around its mean.",
        (_K, _STARTS, _ROUNDS),
        assigner="nearest_centre",
        checks_k=True,
    ),
    Algorithm(
        "minibatch_kmeans",
        "k-means on random batches: for very many points, a little worse.",
        (
            _K,
            _STARTS,
            _ROUNDS,
            Parameter("batch_size", int, 4096, "Points in a batch.", minimum=16, maximum=1_000_000),
        ),
        assigner="nearest_centre",
        checks_k=True,
    ),
    Algorithm(
        "spherical_kmeans",
        "k-means by cosine, each cluster around a direction.",
        (_K, _STARTS, _ROUNDS),
        assigner="nearest_centre",
        checks_k=True,
    ),
    Algorithm(
        "kmedoids",
        "A given number of clusters, each around one of the points; outliers pull less than at k-means.",
        (
            _K,
            _ONE_START,
            Parameter(
                "max_iter", int, 100, "Most rounds over all points.", minimum=1, maximum=1000
            ),
        ),
        assigner="nearest_centre",
        most_points=8_192,
    ),
    Algorithm(
        "gaussian_mixture",
        "A given number of round or stretched clusters that may overlap.",
        (
            _K,
            Parameter(
                "covariance",
                str,
                "diag",
                "Shape of a cluster: spherical, diag (stretched along the axes), full (in any direction; "
                "reduce to some tens of dimensions first: k * dimensions squared is bounded).",
                choices=("spherical", "diag", "full"),
            ),
            _ONE_START,
            _ROUNDS,
        ),
        assigner="most_likely",
        most_points=100_000,
    ),
)

_BY_DENSITY = (
    Algorithm(
        "dbscan",
        "Clusters of any shape and one density, of unknown number; the rest is noise.",
        (
            Parameter(
                "eps",
                float,
                None,
                "Euclidean distance within which points are neighbours (a cosine c is at sqrt(2 - 2 c)). "
                "Read off the knee of the k-distances if left out.",
                minimum=1e-9,
            ),
            _DENSE,
        ),
        assigner="nearest_member",
        most_points=20_000,
    ),
    Algorithm(
        "hdbscan",
        "Clusters of any shape by density, of unknown number; the rest is noise.",
        (
            _SMALLEST,
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
        "optics",
        "Clusters of differing density, of unknown number; the rest is noise.",
        (
            Parameter(
                "min_samples",
                int,
                5,
                "Points, itself included, whose distance makes a point's density.",
                minimum=2,
                at_most_points=True,
            ),
            _SMALLEST,
            Parameter(
                "xi",
                float,
                0.05,
                "Relative fall of density that bounds a cluster.",
                minimum=0.0,
                maximum=0.999,
            ),
        ),
        assigner="nearest_member",
        most_points=10_000,
    ),
)

_BY_LINKS = (
    Algorithm(
        "agglomerative",
        "A given number of clusters, by merging the nearest two again and again.",
        (
            _K,
            Parameter(
                "linkage",
                str,
                "ward",
                "Distance of two clusters: ward (growth of the variance), average, complete (the farthest "
                "members), single (the nearest members).",
                choices=("ward", "average", "complete", "single"),
            ),
        ),
        assigner="nearest_member",
        most_points=10_000,
    ),
    Algorithm(
        "spectral",
        "A given number of clusters of any shape, held together by neighbours.",
        # It takes twice as many eigenvectors as clusters, of all points.
        (replace(_K, maximum=1_000), _NEIGHBOURS),
        assigner="nearest_member",
        most_points=20_000,
    ),
    Algorithm(
        "leiden",
        "Communities in the graph of neighbours, of unknown number, none of them noise.",
        (
            _NEIGHBOURS,
            Parameter(
                "resolution",
                float,
                1.0,
                "Higher finds more and smaller communities.",
                minimum=1e-6,
                maximum=1000.0,
            ),
        ),
        assigner="nearest_member",
        most_points=100_000,
    ),
)

ALGORITHMS: Mapping[str, Algorithm] = {
    algorithm.name: algorithm
    for algorithm in sorted((*_AROUND_CENTRES, *_BY_DENSITY, *_BY_LINKS), key=lambda one: one.name)
}
