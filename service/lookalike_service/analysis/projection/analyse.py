"""A whole projection: reduce, lay out, align with a former map, measure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.neighbour_graph import Neighbours, nearest_neighbours
from lookalike_service.analysis.points import Points, check_points
from lookalike_service.analysis.progress import Progress
from lookalike_service.analysis.projection.alignment import align, fill, moved
from lookalike_service.analysis.projection.before import AUTO, reduce_before
from lookalike_service.analysis.projection.layout import Layout
from lookalike_service.analysis.projection.methods import find_method, project
from lookalike_service.analysis.projection.placing import anchor_arrays
from lookalike_service.analysis.projection.quality import NEIGHBOURS, distortions, measure

Arrays = dict[str, NDArray[Any]]
Figures = dict[str, float | None]


def analyse(
    arrays: Mapping[str, NDArray[Any]], parameters: Mapping[str, Any], progress: Progress
) -> tuple[Arrays, dict[str, Any]]:
    """Project `arrays["vectors"]`, float32 (n, dim).

    `parameters`: `method`, `parameters`, `dimensions`, `reduction` (see `reduce_before`) and `seed`. Also
    taken are `arrays["former"]`, float32 (n, dimensions), a former map to align with, NaN for points that
    it has not; and `arrays["labels"]`, int64 (n,), -1 for none.

    Arrays out: `coordinates`, `distortion` (see `distortions`) and what places new points. Figures out:
    `diagnostics`. Raises InvalidParameters.
    """
    vectors, labels, former = arrays["vectors"], arrays.get("labels"), arrays.get("former")
    check_points(vectors)
    method, seed = parameters["method"], parameters["seed"]
    linear = find_method(method).placing == "linear"
    # A method that is a reduction itself is measured in the points that others would be laid out from.
    wanted = AUTO if linear else parameters["reduction"]
    points, before, figures = reduce_before(vectors, wanted, seed=seed, progress=progress)
    neighbours = _neighbours(points, progress)
    start = None if former is None or linear else _start(former, neighbours)
    layout = project(
        vectors if linear else points,
        method,
        parameters["parameters"],
        dimensions=parameters["dimensions"],
        seed=seed,
        progress=progress,
        start=start,
        labels=labels,
    )
    if former is not None:
        layout = _aligned(layout, former, linear=linear)
    progress("measuring", 0, None)
    places = layout.coordinates
    out: Arrays = {"coordinates": places, **layout.model}
    if not linear:
        out |= anchor_arrays(points, places, before, seed=seed)
    out["distortion"] = (
        np.zeros(len(points), dtype=np.float32)
        if neighbours is None
        else distortions(neighbours, places)
    )
    if linear:
        figures = {}
    figures |= measure_projection(vectors, places, labels=labels, seed=seed)
    return out, {"diagnostics": {**figures, **layout.figures}}


def _neighbours(points: Points, progress: Progress) -> Neighbours | None:
    """What maps are started and measured by; None for a single point."""
    k = min(NEIGHBOURS, len(points) - 1)
    return nearest_neighbours(points, k, progress) if k else None


def _start(
    former: NDArray[np.float32], neighbours: Neighbours | None
) -> NDArray[np.float32] | None:
    if neighbours is None or not np.isfinite(former).all(axis=1).any():
        return None
    return fill(former, neighbours)


def _aligned(layout: Layout, former: NDArray[np.float32], *, linear: bool) -> Layout:
    """The layout over the former one, with `aligned_points` and how far these `moved`."""
    shared = np.isfinite(former).all(axis=1)
    if not shared.any():
        return Layout(layout.coordinates, layout.model, {**layout.figures, "aligned_points": 0.0})
    found = align(layout.coordinates[shared], former[shared], only_turn=linear)
    places = found.apply(layout.coordinates)
    mean, median = moved(places[shared], former[shared])
    model = dict(layout.model)
    if linear:
        model["components"] = (found.rotation.T @ model["components"]).astype(np.float32)
    figures: Figures = {
        "aligned_points": float(shared.sum()),
        "moved": mean,
        "moved_median": median,
    }
    return Layout(places, model, {**layout.figures, **figures})


def measure_projection(
    points: Points,
    coordinates: NDArray[np.float32],
    *,
    labels: NDArray[np.int64] | None = None,
    seed: int = 0,
) -> Figures:
    """`Quality` by name; None where undefined, and label accuracies only where there are labels."""
    quality = measure(points, coordinates, labels=labels, seed=seed)
    figures: Figures = {
        "trustworthiness": quality.trustworthiness if quality else None,
        "continuity": quality.continuity if quality else None,
        "neighbours_kept": quality.kept if quality else None,
        "trustworthiness_points": float(quality.points) if quality else None,
    }
    if labels is not None:
        figures["label_accuracy"] = quality.accuracy if quality else None
        figures["label_accuracy_before"] = quality.accuracy_before if quality else None
    return figures
