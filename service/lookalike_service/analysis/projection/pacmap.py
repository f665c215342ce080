"""PaCMAP: near pairs together, middling ones at a distance, far ones apart.

Wang, Huang, Rudin and Shaposhnik 2021, JMLR 22(201), with the paper's constants. The authors' package is not
used: it does not tell how far it is, keeps its seed for all threads, and does not end with few points.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lookalike_service.analysis.compiled import Rows
from lookalike_service.analysis.neighbour_graph import nearest_neighbours
from lookalike_service.analysis.points import Points, all_equal
from lookalike_service.analysis.projection.kernels import pull_pairs
from lookalike_service.analysis.projection.layout import Drawing, Layout
from lookalike_service.analysis.projection.starting import starting_places

_EXTENT, _FORMER_EXTENT = 0.01, 20.0
_PHASES = (100, 200, 450)  # iterations at whose end a phase ends
_MIDDLING, _FAR = 0.5, 2.0  # pairs for each near one
_MORE = 50  # neighbours among which the near ones are chosen
_DRAWN = 6  # a middling one is the second nearest of so many drawn
_RATE, _MEMORY, _SQUARE_MEMORY = 1.0, 0.9, 0.999  # of Adam
_ROWS = 1024

_Pairs = tuple[NDArray[np.int32], NDArray[np.int32]]


def fit(drawing: Drawing) -> Layout:
    """Lay out; the same seed gives the same map. Equal points all lie at the origin.

    With too few points for `n_neighbors` all others are neighbours; the figure `n_neighbors` says
    how many were used.
    """
    points = drawing.points
    if all_equal(points):
        return Layout(np.zeros((len(points), drawing.dimensions), dtype=np.float32))
    k = min(drawing.parameters["n_neighbors"], len(points) - 1)
    near = _near(drawing, k)
    drawing.progress("drawing pairs", 0, None)
    rng = np.random.default_rng(drawing.seed)
    middling = _middling(points, max(1, round(_MIDDLING * k)), rng)
    far = _far(near, round(_FAR * k), rng)
    pairs = [_both_ways(rows) for rows in (near, middling, far)]
    return Layout(_optimise(drawing, pairs), figures={"n_neighbors": float(k)})


def _near(drawing: Drawing, k: int) -> NDArray[np.int32]:
    """The k nearest by distance in units of both points' own, (n, k)."""
    found = nearest_neighbours(
        drawing.points, min(k + _MORE, len(drawing.points) - 1), drawing.progress
    )
    third = min(3, found.distances.shape[1] - 1)
    own = np.maximum(found.distances[:, third : third + 3].mean(axis=1), 1e-10)
    scaled = found.distances**2 / own[:, None] / own[found.indices]
    order = np.argsort(scaled, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(found.indices, order, axis=1)


def _middling(points: Points, each: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """For each point `each` others: the second nearest of six drawn at random, (n, each)."""
    count = len(points)
    chosen = np.empty((count, each), dtype=np.int32)
    for start in range(0, count, _ROWS):
        rows = np.arange(start, min(start + _ROWS, count))
        drawn = rng.integers(count - 1, size=(len(rows), each, _DRAWN))
        drawn += drawn >= rows[:, None, None]  # not the point itself
        for at in range(each):
            apart = points[drawn[:, at]] - points[rows, None]
            second = np.argsort(np.einsum("nmd,nmd->nm", apart, apart), axis=1)[:, 1]
            chosen[rows, at] = drawn[np.arange(len(rows)), at, second]
    return chosen


def _far(near: NDArray[np.int32], each: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """For each point `each` others drawn at random, (n, each); -1 where that is a near one."""
    count = len(near)
    drawn = rng.integers(count - 1, size=(count, each), dtype=np.int32)
    drawn += drawn >= np.arange(count, dtype=np.int32)[:, None]
    for column in near.T:
        drawn[drawn == column[:, None]] = -1
    return drawn


def _both_ways(rows: NDArray[np.int32]) -> _Pairs:
    """The pairs in compressed rows, each in both its rows: ends (n + 1,) and partners."""
    one, at = np.nonzero(rows >= 0)
    other = rows[one, at]
    heads, tails = np.concatenate([one, other]), np.concatenate([other, one])
    order = np.argsort(heads, kind="stable")
    ends = np.concatenate([[0], np.bincount(heads, minlength=len(rows)).cumsum()])
    return ends.astype(np.int32), tails[order].astype(np.int32)


def _optimise(drawing: Drawing, pairs: list[_Pairs]) -> NDArray[np.float32]:
    fresh = drawing.start is None
    places = starting_places(drawing, _EXTENT if fresh else _FORMER_EXTENT)
    first = 0 if fresh else _PHASES[1]  # the phases before would lay the whole out anew
    mean, square = np.zeros_like(places), np.zeros_like(places)
    with Rows(len(places)) as rows:
        for step in range(first, _PHASES[-1]):
            if step % 10 == 0:
                drawing.progress("laying out", step, _PHASES[-1])
            gradient = np.zeros_like(places)
            for (ends, partners), (strength, softness) in zip(pairs, _forces(step), strict=True):
                if strength:
                    rows.run(pull_pairs, places, ends, partners, strength, softness, gradient)
            mean += (1 - _MEMORY) * (gradient - mean)
            square += (1 - _SQUARE_MEMORY) * (gradient**2 - square)
            rate = (
                _RATE
                * np.sqrt(1 - _SQUARE_MEMORY ** (step - first + 1))
                / (1 - _MEMORY ** (step - first + 1))
            )
            places -= (rate * mean / (np.sqrt(square) + 1e-7)).astype(np.float32)
    centred: NDArray[np.float32] = places - places.mean(axis=0)
    return centred


def _forces(step: int) -> tuple[tuple[np.float32, np.float32], ...]:
    """Strength and softness of the near, middling and far pairs' pull in an iteration."""
    first, second, _ = _PHASES
    if step < first:
        near, middling = 2.0, 1000 * (1 - step / first) + 3 * step / first
    else:
        near, middling = (3.0, 3.0) if step < second else (1.0, 0.0)
    forces = ((20 * near, 10), (20_000 * middling, 10_000), (-2, 1))
    return tuple((np.float32(strength), np.float32(softness)) for strength, softness in forces)
