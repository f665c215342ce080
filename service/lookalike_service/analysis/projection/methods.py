"""The projection methods there are: one row each, whose code is the module of the same name."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.parameters import Parameter, Value, check_seed, resolve
from lookalike_service.analysis.points import Points, check_points
from lookalike_service.analysis.progress import Progress, silent
from lookalike_service.analysis.projection.layout import Drawing, Layout
from lookalike_service.errors import InvalidParameters


@dataclass(frozen=True, slots=True)
class Method:
    """A method: what it keeps, its parameters, and how it places new points.

    `placing`: `linear`, by the model's `mean` and `components`, or `neighbours`, among the old ones.
    `fewest_points`: below so many it cannot be run. `needs_labels`: it cannot be run without.
    """

    name: str
    meaning: str
    parameters: tuple[Parameter, ...] = ()
    placing: Literal["linear", "neighbours"] = "neighbours"
    fewest_points: int = 5
    needs_labels: bool = False


_MIN_DIST = Parameter(
    "min_dist",
    float,
    0.1,
    "How tightly neighbours may be packed in the map.",
    minimum=0.0,
    maximum=0.99,
)
_UMAP = (
    Parameter(
        "n_neighbors",
        int,
        15,
        "Neighbours that are kept together: few show detail, many the large structure.",
        minimum=2,
        maximum=200,
    ),
    _MIN_DIST,
)

METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        Method(
            "pca",
            "The directions of most variance; distances keep their meaning.",
            placing="linear",
            fewest_points=1,
        ),
        Method(
            "umap", "Neighbours stay neighbours; distances between far groups mean little.", _UMAP
        ),
        Method(
            "densmap",
            "As umap, and groups are as dense on the map as they are in truth.",
            (
                *_UMAP,
                Parameter(
                    "dens_lambda",
                    float,
                    2.0,
                    "How much density counts against neighbourhood.",
                    minimum=0.01,
                    maximum=10.0,
                ),
            ),
        ),
        Method(
            "supervised_umap",
            "As umap, and images of the same label are drawn together: it shows the labels.",
            (
                *_UMAP,
                Parameter(
                    "target_weight",
                    float,
                    0.5,
                    "How much labels count against neighbourhood.",
                    minimum=0.0,
                    maximum=0.99,
                ),
            ),
            needs_labels=True,
        ),
        Method(
            "tsne",
            "What lies near is near in truth, in detail; sizes and far distances mean little.",
            (
                Parameter(
                    "perplexity",
                    float,
                    30.0,
                    "About how many neighbours each image minds; at most a sixth of the images.",
                    minimum=2.0,
                    maximum=200.0,
                ),
            ),
        ),
        Method(
            "pacmap",
            "Near, middling and far pairs are balanced: detail and large structure both.",
            (
                Parameter(
                    "n_neighbors",
                    int,
                    10,
                    "Near images that are drawn together.",
                    minimum=2,
                    maximum=200,
                ),
            ),
        ),
    )
}


class _Module(Protocol):
    def fit(self, drawing: Drawing) -> Layout: ...


def find_method(name: str) -> Method:
    """The method of this name. Raises InvalidParameters naming those there are."""
    if name not in METHODS:
        raise InvalidParameters(f"method {name!r} is not one; allowed: {', '.join(METHODS)}")
    return METHODS[name]


def resolve_parameters(
    name: str, parameters: Mapping[str, object], *, points: int
) -> dict[str, Value]:
    """The method's parameters with defaults filled in. Raises InvalidParameters."""
    return resolve(name, find_method(name).parameters, parameters, points=points)


def check_shape(name: str, *, points: int, dim: int, dimensions: int) -> None:
    """Raise InvalidParameters if the method cannot lay so many points of `dim` dimensions out."""
    if dimensions not in (2, 3):
        raise InvalidParameters(f"a projection has 2 or 3 dimensions, not {dimensions}")
    if dim < dimensions:
        raise InvalidParameters(
            f"a projection to {dimensions} dimensions needs points of as many, not of {dim}"
        )
    if points < (fewest := find_method(name).fewest_points):
        able = [method.name for method in METHODS.values() if method.fewest_points <= points]
        raise InvalidParameters(
            f"{name} needs at least {fewest} points, and there are {points}; possible with these: "
            f"{', '.join(able)}"
        )


def project(
    points: Points,
    method: str,
    parameters: Mapping[str, object],
    *,
    dimensions: int = 2,
    seed: int = 0,
    progress: Progress = silent,
    start: NDArray[np.float32] | None = None,
    labels: NDArray[np.int64] | None = None,
) -> Layout:
    """Project points float32 (n, dim) to 2 or 3 dimensions. Raises InvalidParameters.

    `start`, `labels`: see `Drawing`.
    """
    check_points(points)
    check_seed(seed)
    resolved = resolve_parameters(method, parameters, points=len(points))
    check_shape(method, points=len(points), dim=points.shape[1], dimensions=dimensions)
    if find_method(method).needs_labels and labels is None:
        raise InvalidParameters(f"{method} needs labels: name the metadata field that holds them")
    # Imported when first run: numba takes seconds, which the service's start need not wait for.
    module = importlib.import_module(f"{__package__}.{method}")
    drawing = Drawing(points, dimensions, resolved, seed, progress, start, labels)
    return cast("_Module", module).fit(drawing)
