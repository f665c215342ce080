"""A whole clustering: reduce, cluster, measure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from numpy.typing import NDArray

from lookalike_service.analysis.clustering.algorithms import cluster
from lookalike_service.analysis.clustering.assign import assigner_arrays
from lookalike_service.analysis.diagnostics import (
    centroids,
    describe_clusters,
    measure_clustering,
)
from lookalike_service.analysis.pca import fit_pca
from lookalike_service.analysis.points import check_points
from lookalike_service.analysis.progress import Progress
from lookalike_service.analysis.reduction import parse_reduction


def analyse(
    arrays: Mapping[str, NDArray[Any]], parameters: Mapping[str, Any], progress: Progress
) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    """Cluster `arrays["vectors"]`, float32 (n, dim) of unit norm.

    `parameters`: `algorithm`, `parameters`, `reduction` (text or None) and `seed`.

    Arrays out: `labels`, `centroids` (clusters, dim) in the space of the vectors, the assigner's, and with a
    reduction `mean` and `components`. Figures out:
    `clusters` (`label`, `size`, `medoid` as a row, `spread`; in the space of the vectors) and
    `diagnostics` (in the space clustered in). Raises InvalidParameters.
    """
    vectors = arrays["vectors"]
    check_points(vectors)
    points, out = vectors, dict[str, NDArray[Any]]()
    diagnostics: dict[str, float | None] = {}
    if parameters["reduction"] is not None:
        progress("reducing", 0, None)
        reduction, explained = fit_pca(vectors, parse_reduction(parameters["reduction"]))
        points = reduction.apply(vectors)
        out = {"mean": reduction.mean, "components": reduction.components}
        diagnostics["explained_variance"] = float(explained.sum())
        diagnostics["components"] = float(len(reduction.components))
    progress("clustering", 0, None)
    fit = cluster(
        points, parameters["algorithm"], parameters["parameters"], seed=parameters["seed"]
    )
    progress("measuring", 0, None)
    diagnostics |= {
        **measure_clustering(points, fit.labels, seed=parameters["seed"]),
        **fit.figures,
    }
    clusters = [asdict(found) for found in describe_clusters(vectors, fit.labels)]
    out |= {"labels": fit.labels, "centroids": centroids(vectors, fit.labels)}
    out |= assigner_arrays(fit.assigner)
    return out, {"clusters": clusters, "diagnostics": diagnostics}
