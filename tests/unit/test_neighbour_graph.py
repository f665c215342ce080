"""The graph of nearest neighbours: exact, and computed once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from lookalike_service.analysis import neighbour_graph
from lookalike_service.analysis.neighbour_graph import nearest_neighbours
from tests.clouds import unit

POINTS = unit(np.random.default_rng(0).normal(size=(700, 12)))


def test_neighbours_are_those_of_brute_force() -> None:
    found = nearest_neighbours(POINTS, 9)
    exact = NearestNeighbors(n_neighbors=9, algorithm="brute").fit(POINTS.astype(np.float64))
    distances, indices = exact.kneighbors()
    np.testing.assert_array_equal(found.indices, indices)
    np.testing.assert_allclose(found.distances, distances, atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(st.integers(2, 60), st.integers(1, 6), st.integers(0, 5))
def test_however_many_points_and_copies_each_has_k_others(n: int, dim: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = rng.integers(-2, 3, size=(n, dim)).astype(np.float32)  # many are equal
    k = int(rng.integers(1, n))
    found = nearest_neighbours(points, k)
    exact = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(points).kneighbors()[0]
    np.testing.assert_allclose(found.distances, exact, atol=1e-4)
    for row, near in enumerate(found.indices.tolist()):
        assert len({*near} - {row}) == k


def test_blocks_do_not_change_the_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = nearest_neighbours(POINTS, 5)
    monkeypatch.setattr(neighbour_graph, "_COLUMNS", 100)
    monkeypatch.setattr(neighbour_graph, "_ROWS", 33)
    monkeypatch.setattr(neighbour_graph, "_DIFFERENCES", 7 * 5 * 12)
    monkeypatch.setattr(neighbour_graph, "_kept", neighbour_graph._Kept())
    np.testing.assert_array_equal(nearest_neighbours(POINTS, 5).indices, whole.indices)


def test_a_graph_is_computed_once_for_the_same_points(monkeypatch: pytest.MonkeyPatch) -> None:
    searched = []

    def counted(points: object, k: int, progress: object) -> object:
        searched.append(k)
        return search(points, k, progress)  # type: ignore[arg-type]  # as it came

    search = neighbour_graph._search
    monkeypatch.setattr(neighbour_graph, "_search", counted)
    monkeypatch.setattr(neighbour_graph, "_kept", neighbour_graph._Kept())
    nearest_neighbours(POINTS, 8)
    few = nearest_neighbours(POINTS.copy(), 3)
    assert searched == [8], "fewer neighbours of the same points are among those known"
    assert few.indices.shape == (700, 3)
    nearest_neighbours(POINTS, 9)
    nearest_neighbours(POINTS[::-1].copy(), 3)
    assert searched == [8, 9, 3]


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = neighbour_graph._Kept()
    monkeypatch.setattr(neighbour_graph, "_kept", kept)
    monkeypatch.setattr(neighbour_graph, "KEPT_BYTES", 2 * 100 * 4 * 8)
    for start in range(0, 500, 100):
        nearest_neighbours(POINTS[start : start + 100], 4)
    assert len(kept._graphs) == 2


def test_a_graph_that_is_shared_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        nearest_neighbours(POINTS, 3).indices[0, 0] = 1
