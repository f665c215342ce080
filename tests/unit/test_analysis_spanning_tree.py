"""The spanning tree that HDBSCAN's hierarchy is read from is the shortest there is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist
from sklearn.cluster import HDBSCAN
from sklearn.metrics import adjusted_rand_score

from lookalike_service.analysis.clustering import spanning_tree as module
from lookalike_service.analysis.clustering.algorithms import cluster
from lookalike_service.analysis.clustering.spanning_tree import spanning_tree
from tests.clouds import Points, blobs, same_partition, unit


def mutual_reachability(points: Points, min_samples: int) -> NDArray[np.float64]:
    distances = cdist(points.astype(np.float64), points.astype(np.float64))
    cores = np.sort(distances, axis=1)[:, min_samples - 1]
    reach: NDArray[np.float64] = np.maximum(distances, np.maximum(cores[:, None], cores))
    return reach


def shortest(lengths: NDArray[np.float64]) -> list[float]:
    """The edges of the shortest tree, by rising length, by Prim's steps from one point to the next."""
    near, left, edges = lengths[0].copy(), set(range(1, len(lengths))), list[float]()
    while left:
        rest = np.array(sorted(left))
        nearest = int(rest[near[rest].argmin()])
        edges.append(float(near[nearest]))
        left.remove(nearest)
        near = np.minimum(near, lengths[nearest])
    return sorted(edges)


def check(points: Points, min_samples: int) -> None:
    """A tree of all points, as long as the shortest: edge by edge, which no tie changes."""
    left, right, lengths = spanning_tree(points, min_samples)
    n = len(points)
    assert len(left) == len(right) == len(lengths) == n - 1
    assert connected_components(coo_array((np.ones(n - 1), (left, right)), (n, n)))[0] == 1
    reach = mutual_reachability(points, min_samples)
    np.testing.assert_allclose(lengths, reach[left, right], atol=1e-5)
    np.testing.assert_allclose(lengths, shortest(reach), atol=1e-5)


CLOUDS = {
    "one cloud": unit(np.random.default_rng(0).normal(size=(700, 20))),
    "far blobs": blobs(*[60] * 8, width=0.02).points,
    "uneven blobs": blobs(500, 30, 20, 5, 3, width=0.05).points,
    "a line": np.linspace(0, 1, 300, dtype=np.float32)[:, None] ** 2 * np.ones((1, 2), np.float32),
    "equal points": np.repeat(blobs(10, 10).points, 30, axis=0),
}


@pytest.mark.parametrize("min_samples", [1, 2, 5, 25])
@pytest.mark.parametrize("cloud", CLOUDS)
def test_no_tree_is_shorter(cloud: str, min_samples: int) -> None:
    check(CLOUDS[cloud], min_samples)


def test_no_tree_is_shorter_however_little_the_neighbours_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_NEIGHBOURS", 1)
    monkeypatch.setattr(module, "_PROBED", 1)
    monkeypatch.setattr(module, "_COLUMNS", 64)
    for points in CLOUDS.values():
        check(points, 2)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 40), st.integers(1, 4), st.integers(0, 10_000), st.data())
def test_no_tree_of_a_few_points_is_shorter(
    n: int, dim: int, seed: int, data: st.DataObject
) -> None:
    points = np.random.default_rng(seed).integers(0, 5, (n, dim)).astype(np.float32)
    check(points, data.draw(st.integers(1, n)))


@pytest.mark.parametrize("method", ["eom", "leaf"])
def test_labels_are_scikit_learns_where_no_two_edges_are_alike(method: str) -> None:
    points = blobs(300, 200, 100, 50, width=0.3, seed=3).points
    parameters = {"min_samples": 1, "min_cluster_size": 8, "cluster_selection_method": method}
    ours = cluster(points, "hdbscan", parameters).labels
    theirs = HDBSCAN(**parameters, algorithm="brute", copy=True).fit(points).labels_
    assert ours.max() > 0
    assert same_partition(theirs, ours)


def test_labels_differ_from_scikit_learns_no_more_than_its_own_in_another_order() -> None:
    """Edges as long as a point's density asks for are alike, and a tree may have any of them."""
    points = blobs(400, 300, 200, 100, width=0.25, seed=4).points
    order = np.random.default_rng(0).permutation(len(points))

    def theirs(points: Points) -> NDArray[np.int64]:
        labels: NDArray[np.int64] = (
            HDBSCAN(min_cluster_size=5, algorithm="brute", copy=True).fit(points).labels_
        )
        return labels

    straight = theirs(points)
    own = adjusted_rand_score(straight[order], theirs(points[order]))
    ours = cluster(points, "hdbscan", {"min_cluster_size": 5}).labels
    assert adjusted_rand_score(straight, ours) > min(own, 0.95) - 0.05
