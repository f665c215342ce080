"""UMAP: keeps neighbours together (McInnes, Healy and Melville 2018, arXiv:1802.03426).

On exact nearest neighbours, with umap-learn's graph and forces. Its own implementation is not used: with a
seed it works in one thread, each process compiles it anew, and it does not tell how far it is. Here all
points of an epoch move at once, from where the epoch found them, so that the same seed gives the same map
in any number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import curve_fit
from scipy.sparse import csr_array

from lookalike_service.analysis.compiled import Rows
from lookalike_service.analysis.neighbour_graph import nearest_neighbours
from lookalike_service.analysis.points import all_equal
from lookalike_service.analysis.projection.density import MORE_EPOCHS, PART, Density
from lookalike_service.analysis.projection.fuzzy_graph import fuzzy_graph
from lookalike_service.analysis.projection.kernels import umap_epoch
from lookalike_service.analysis.projection.layout import Drawing, Layout
from lookalike_service.analysis.projection.starting import starting_places

_EXTENT = 10.0
_RATE_OF_FORMER = 0.1  # small enough to leave the large structure where it was
_FEW, _EPOCHS_OF_FEW, _EPOCHS = 10_000, 500, 200


def fit(drawing: Drawing) -> Layout:
    """Lay out; the same seed gives the same map. Equal points all lie at the origin.

    With too few points for `n_neighbors` all others are neighbours; the figure `n_neighbors` says
    how many were used, the point itself counted.
    """
    return lay_out(drawing)


def lay_out(
    drawing: Drawing,
    *,
    weigh: Callable[[csr_array], csr_array] = lambda graph: graph,
    density: float = 0.0,
) -> Layout:
    """The same on a graph weighed anew, or with densMAP's lambda, `density`."""
    points = drawing.points
    if all_equal(points):
        return Layout(np.zeros((len(points), drawing.dimensions), dtype=np.float32))
    n_neighbors = min(drawing.parameters["n_neighbors"], len(points))
    neighbours = nearest_neighbours(points, n_neighbors - 1, drawing.progress)
    drawing.progress("weighing neighbours", 0, None)
    places = _optimise(drawing, weigh(fuzzy_graph(neighbours)), density)
    return Layout(places, figures={"n_neighbors": float(n_neighbors)})


def _optimise(drawing: Drawing, graph: csr_array, density: float) -> NDArray[np.float32]:
    epochs = _EPOCHS_OF_FEW if len(drawing.points) <= _FEW else _EPOCHS
    epochs += MORE_EPOCHS if density else 0
    graph.data[graph.data < graph.data.max() / epochs] = 0  # would never be drawn
    graph.eliminate_zeros()
    a, b = _curve(drawing.parameters["min_dist"])
    weights = (graph.data / graph.data.max()).astype(np.float32)
    ends, neighbours = graph.indptr.astype(np.int32), graph.indices.astype(np.int32)
    radii = Density(drawing.points, graph, density) if density else None
    forces = np.empty(0, dtype=np.float32)
    before = starting_places(drawing, _EXTENT)
    first_rate = 1.0 if drawing.start is None else _RATE_OF_FORMER
    after = np.empty_like(before)
    with Rows(len(before)) as rows:
        for epoch in range(epochs):
            if epoch % 10 == 0:
                drawing.progress("laying out", epoch, epochs)
            if radii is not None and epoch >= (1 - PART) * epochs:
                forces = radii.forces(before, a, b)
            rate = first_rate * (1 - epoch / epochs)
            options = (
                np.float32(a),
                np.float32(b),
                np.float32(rate),
                epoch,
                np.uint32(drawing.seed),
            )
            rows.run(umap_epoch, before, after, ends, neighbours, weights, forces, *options)
            before, after = after, before
    places: NDArray[np.float32] = before - before.mean(axis=0)
    return places


@lru_cache
def _curve(min_dist: float) -> tuple[float, float]:
    """The a and b of 1 / (1 + a d^2b) nearest to a curve flat up to `min_dist` that then decays."""
    x = np.linspace(0, 3, 300)
    wanted = np.where(x < min_dist, 1.0, np.exp(min_dist - x))
    (a, b), _ = curve_fit(lambda d, a, b: 1 / (1 + a * d ** (2 * b)), x, wanted)
    return float(a), float(b)
