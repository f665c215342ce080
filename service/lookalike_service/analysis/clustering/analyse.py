"""A whole clustering: reduce, choose, cluster, measure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.clustering.algorithms import cluster, resolve_range
from lookalike_service.analysis.clustering.assign import assigner_arrays
from lookalike_service.analysis.clustering.confidence import low_confidence
from lookalike_service.analysis.clustering.sampling import assign_others, draw_sample
from lookalike_service.analysis.clustering.stability import measure_stability
from lookalike_service.analysis.clustering.sweep import sweep
from lookalike_service.analysis.diagnostics import (
    centroids,
    describe_clusters,
    measure_clustering,
)
from lookalike_service.analysis.fit_reduction import reduce
from lookalike_service.analysis.points import Points, check_points
from lookalike_service.analysis.progress import Progress
from lookalike_service.analysis.reduction import parse_reduction, reduction_arrays
from lookalike_service.analysis.tendency import hopkins
from lookalike_service.errors import InvalidParameters

Figures = dict[str, float | None]


def analyse(
    arrays: Mapping[str, NDArray[Any]], parameters: Mapping[str, Any], progress: Progress
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Cluster `arrays["vectors"]`, float32 (n, dim) of unit norm.

    `parameters`: `algorithm`, `parameters` (whose `k` may be a range), `criterion` by which a k is
    chosen from it, `reduction` (text or None), `stability` (how many bootstrap samples, 0 for none) and
    `seed`.

    Arrays out: `labels`, `centroids` (clusters, dim) in the space of the vectors, the assigner's and the
    reduction's. Figures out: `clusters` (see `Cluster`; in the space of the vectors; with `stability`
    where it is measured), `sweep` (see `Sweep`; with the `criterion`, and the `k` it chose) or None,
    `low_confidence` (threshold and expected share, see there) and `diagnostics` (in the space clustered
    in). Of more than `MOST_NUMBERS` numbers, all but the clusters is of a sample, and the other points are
    assigned; `diagnostics` then has `fitted_points`. Raises InvalidParameters.
    """
    vectors, seed = arrays["vectors"], parameters["seed"]
    check_points(vectors)
    rows = draw_sample(vectors, seed=seed)
    points, out = vectors if rows is None else vectors[rows], dict[str, NDArray[Any]]()
    diagnostics: Figures = {} if rows is None else {"fitted_points": float(len(rows))}
    reduction = None
    if parameters["reduction"] is not None:
        progress("reducing", 0, None)
        wanted = parse_reduction(parameters["reduction"])
        points, reduction, figures = reduce(points, wanted, seed=seed, progress=progress)
        out = reduction_arrays(reduction)
        diagnostics |= figures
    diagnostics["hopkins"] = hopkins(points, seed=seed)
    chosen, swept = _choose(points, parameters, progress)
    progress("clustering", 0, None)
    fit = cluster(points, parameters["algorithm"], chosen, seed=seed)
    progress("measuring", 0, None)
    diagnostics |= {**measure_clustering(points, fit.labels, seed=seed), **fit.figures}
    labels, assigner = fit.labels, fit.assigner
    if rows is not None:
        labels, assigner = assign_others(vectors, rows, fit, reduction, progress)
    clusters = [asdict(found) for found in describe_clusters(vectors, labels)]
    if parameters["stability"]:
        of_points = labels if rows is None else labels[rows]
        diagnostics["stability"] = _stability(
            points, of_points, parameters, chosen, clusters=clusters, progress=progress
        )
    out |= {"labels": labels, "centroids": centroids(vectors, labels)}
    out |= assigner_arrays(assigner)
    low = low_confidence(fit.assigner, points, fit.labels, seed=seed)
    return out, {
        "clusters": clusters,
        "diagnostics": diagnostics,
        "sweep": swept,
        "low_confidence": low,
    }


def _stability(
    points: Points,
    labels: NDArray[np.int64],
    parameters: Mapping[str, Any],
    chosen: Mapping[str, Any],
    *,
    clusters: list[dict[str, Any]],
    progress: Progress,
) -> float:
    """The stability of the whole; that of each cluster is put among its figures."""
    of_all, of_clusters = measure_stability(
        points,
        labels,
        parameters["algorithm"],
        chosen,
        resamples=parameters["stability"],
        seed=parameters["seed"],
        progress=progress,
    )
    for found, value in zip(clusters, of_clusters.tolist(), strict=True):
        found["stability"] = None if np.isnan(value) else value
    return of_all


def _choose(
    points: Points, parameters: Mapping[str, Any], progress: Progress
) -> tuple[Mapping[str, Any], dict[str, Any] | None]:
    """The algorithm's parameters with one k, and how it was chosen where a range was given."""
    algorithm, given = parameters["algorithm"], parameters["parameters"]
    resolved, ks = resolve_range(algorithm, given, points=len(points))
    if ks is None:
        return resolved, None
    criterion = parameters["criterion"]
    found = sweep(points, algorithm, resolved, ks, seed=parameters["seed"], progress=progress)
    k = found.choices[criterion]
    if k is None:
        raise InvalidParameters(
            f"{criterion} is undefined for every k from {ks[0]} to {ks[-1]}; allowed here: another "
            "criterion, or a range with a k between 2 and the number of points"
        )
    return {**resolved, "k": k}, {**asdict(found), "criterion": criterion, "k": k}
