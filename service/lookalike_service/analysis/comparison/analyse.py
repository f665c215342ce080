"""The analysis of a comparison job, run in the computing process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.clustering.algorithms import cluster
from lookalike_service.analysis.comparison.classifier import measure_separability
from lookalike_service.analysis.comparison.counterparts import find_counterparts
from lookalike_service.analysis.comparison.coverage import measure_coverage
from lookalike_service.analysis.comparison.discrepancy import measure_discrepancy
from lookalike_service.analysis.comparison.frechet import measure_frechet
from lookalike_service.analysis.comparison.shares import compare_shares
from lookalike_service.analysis.diagnostics import centroids
from lookalike_service.analysis.points import Points, all_equal, check_points
from lookalike_service.analysis.progress import Progress
from lookalike_service.errors import InvalidParameters

FEWEST = 20
KERNEL_SAMPLE = 2_000
"""Points of each set whose kernel with all others is held in memory."""
SAMPLE = 5_000
"""Points of each set for the other figures that compare all with all, and for finding clusters."""
_BLOCK = 4096


def analyse(
    arrays: Mapping[str, NDArray[Any]], parameters: Mapping[str, Any], progress: Progress
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Compare `arrays["first"]` and `arrays["second"]`, float32 (n, dim) and (m, dim) of unit norm.

    `first_labels`, `second_labels`: int64, their clusters; where absent, clusters are found in both sets
    together by spherical k-means. `parameters`: `k` (how many), `seed`.

    Arrays out, for each set: `…_labels`, `…_counterpart` (int32, rows of the other set), `…_cosine`,
    `…_along` (float32, coordinates on the direction from the first set's mean to the second's); and
    `direction`, float64 (dim,), unit norm. Figures out: those of the modules beside this one. Raises
    InvalidParameters.
    """
    first, second = arrays["first"], arrays["second"]
    for points in (first, second):
        check_points(points)
    if all_equal(first) and all_equal(second) and (first[0] == second[0]).all():
        raise InvalidParameters("All images have the same vector, so there is nothing to compare.")
    rng = np.random.default_rng(parameters["seed"])
    progress("measuring the Fréchet distance", 0, None)
    frechet = measure_frechet(first, second, rng)
    progress("comparing pairs", 0, None)
    discrepancy = measure_discrepancy(
        _sample(first, KERNEL_SAMPLE, rng), _sample(second, KERNEL_SAMPLE, rng), rng
    )
    samples = _sample(first, SAMPLE, rng), _sample(second, SAMPLE, rng)
    coverage = measure_coverage(*samples, rng)
    progress("fitting a classifier", 0, None)
    separability = measure_separability(*samples, rng)
    progress("comparing clusters", 0, None)
    labels = _labels(arrays, samples, parameters)
    shares, independence = compare_shares(*labels, rng)
    counterparts = find_counterparts(first, second, progress)
    direction = _direction(first, second)
    out: dict[str, NDArray[Any]] = {"direction": direction}
    for name, points, of, found in zip(
        ("first", "second"), (first, second), labels, counterparts, strict=True
    ):
        out[f"{name}_labels"] = of
        out[f"{name}_counterpart"] = found.row
        out[f"{name}_cosine"] = found.cosine
        out[f"{name}_along"] = points @ direction.astype(np.float32)
    return out, {
        "frechet": asdict(frechet),
        **asdict(discrepancy),
        **asdict(coverage),
        "separability": asdict(separability),
        "clusters": [asdict(share) for share in shares],
        "independence": None if independence is None else asdict(independence),
        "sampled": [len(sample) for sample in samples],
    }


def _sample(points: Points, most: int, rng: np.random.Generator) -> Points:
    if len(points) <= most:
        return np.asarray(points)
    return np.asarray(points[np.sort(rng.choice(len(points), most, replace=False))])


def _labels(
    arrays: Mapping[str, NDArray[Any]],
    samples: tuple[Points, Points],
    parameters: Mapping[str, Any],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    if "first_labels" in arrays:
        return np.asarray(arrays["first_labels"]), np.asarray(arrays["second_labels"])
    sampled = np.concatenate(samples)
    k = min(parameters["k"], len(np.unique(sampled, axis=0)))
    found = cluster(sampled, "spherical_kmeans", {"k": k}, seed=parameters["seed"])
    centres = centroids(sampled, found.labels)
    return _nearest(arrays["first"], centres), _nearest(arrays["second"], centres)


def _nearest(points: Points, centres: NDArray[np.float32]) -> NDArray[np.int64]:
    parts = [
        (points[start : start + _BLOCK] @ centres.T).argmax(axis=1)
        for start in range(0, len(points), _BLOCK)
    ]
    return np.concatenate(parts).astype(np.int64)


def _direction(first: Points, second: Points) -> NDArray[np.float64]:
    """From the first set's mean to the second's, of unit length; zeros for equal means."""
    apart = second.mean(axis=0, dtype=np.float64) - first.mean(axis=0, dtype=np.float64)
    length = np.linalg.norm(apart)
    return np.asarray(apart / length if length > 0 else apart)
