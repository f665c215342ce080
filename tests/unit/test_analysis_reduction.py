"""Principal components before an analysis, and points placed among others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import pdist
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_score

from lookalike_service.analysis.fit_reduction import reduce
from lookalike_service.analysis.pca import fit_pca
from lookalike_service.analysis.progress import silent
from lookalike_service.analysis.projection.layout import interpolate
from lookalike_service.analysis.reduction import (
    METHODS,
    Wanted,
    check_reduction,
    load_reduction,
    parse_reduction,
    reduction_arrays,
)
from lookalike_service.errors import InvalidParameters
from tests.clouds import blobs, unit

POINTS = unit(np.random.default_rng(0).normal(size=(60, 10)) * np.linspace(3, 0.1, 10))


@pytest.mark.parametrize(
    ("text", "method", "amount"),
    [("pca:50", "pca", 50), ("pca:1", "pca", 1), ("pca:0.95", "pca", 0.95), ("pca:.5", "pca", 0.5),
     ("whiten:0.9", "whiten", 0.9), ("whiten:7", "whiten", 7), ("random:64", "random", 64),
     ("umap:10", "umap", 10)],
)  # fmt: skip
def test_a_reduction_is_a_count_or_a_share(text: str, method: str, amount: float) -> None:
    parsed = parse_reduction(text)
    assert parsed == Wanted(method, amount)
    assert type(parsed.amount) is type(amount)


@pytest.mark.parametrize(
    "text",
    ["", "pca", "pca:", "pca:0", "pca:-3", "pca:1.5", "pca:1.0", "pca:nan", "pca:x", "umap:0.5",
     "PCA:5", "pca:5:6", "pca:٣", "pca:²", "random:0.5", "none", "ica:5"],
)  # fmt: skip
def test_anything_else_is_answered_with_the_forms(text: str) -> None:
    with pytest.raises(InvalidParameters, match="pca:COUNT"):
        parse_reduction(text)


@given(st.one_of(st.text(), st.tuples(st.sampled_from(sorted(METHODS)), st.text()).map(":".join)))
def test_no_text_raises_anything_but_invalid_parameters(text: str) -> None:
    try:
        amount = parse_reduction(text).amount
    except InvalidParameters:
        return
    assert amount >= 1 if isinstance(amount, int) else 0 < amount < 1


def test_more_components_than_there_can_be_are_refused_with_how_many() -> None:
    check_reduction(Wanted("pca", 10), points=60, dim=10)
    with pytest.raises(InvalidParameters, match="at most 10"):
        check_reduction(Wanted("pca", 11), points=60, dim=10)
    with pytest.raises(InvalidParameters, match="at most 7"):
        fit_pca(POINTS[:7], 8)
    with pytest.raises(InvalidParameters, match="at most 10"):
        check_reduction(Wanted("random", 11), points=5, dim=10)
    with pytest.raises(InvalidParameters, match="at most 3"):
        check_reduction(Wanted("umap", 4), points=5, dim=10)
    with pytest.raises(InvalidParameters, match="have none"):
        check_reduction(Wanted("umap", 1), points=2, dim=10)


@pytest.mark.parametrize("text", ["pca:4", "whiten:4", "random:4", "umap:2"])
def test_a_fitted_reduction_survives_as_arrays_and_places_its_own_points(text: str) -> None:
    points, fitted, figures = reduce(POINTS, parse_reduction(text), seed=0, progress=silent)
    loaded = load_reduction(text, {"labels": np.zeros(3), **reduction_arrays(fitted)})
    np.testing.assert_allclose(loaded.apply(POINTS), points, atol=1e-3)
    alone = np.concatenate([loaded.apply(POINTS[i : i + 1]) for i in range(3)])
    np.testing.assert_allclose(alone, points[:3], atol=1e-3)
    assert points.dtype == np.float32
    assert points.shape == (60, int(text[-1]))
    assert figures["components"] == points.shape[1]
    again, _, _ = reduce(POINTS, parse_reduction(text), seed=0, progress=silent)
    np.testing.assert_array_equal(again, points)


def test_whitened_points_are_scikit_learns_with_unit_variance() -> None:
    whitened, _, _ = reduce(POINTS, Wanted("whiten", 4), seed=0, progress=silent)
    np.testing.assert_allclose(np.cov(whitened.T), np.eye(4), atol=1e-3)
    theirs = PCA(4, whiten=True, svd_solver="full").fit_transform(POINTS.astype(np.float64))
    np.testing.assert_allclose(np.abs(whitened), np.abs(theirs), atol=1e-3)


def test_whitening_leaves_out_components_of_rounding_alone() -> None:
    flat = np.pad(POINTS[:, :3], ((0, 0), (0, 4)))
    whitened, _, figures = reduce(flat, Wanted("whiten", 7), seed=0, progress=silent)
    assert figures["components"] == whitened.shape[1] == 3


def test_random_directions_keep_distances_on_average() -> None:
    points = unit(np.random.default_rng(1).normal(size=(60, 400)))
    reduced, _, _ = reduce(points, Wanted("random", 200), seed=3, progress=silent)
    shares = pdist(reduced) / pdist(points)
    assert abs(float(shares.mean()) - 1) < 0.05
    assert 0.7 < shares.min() <= shares.max() < 1.3
    other, _, _ = reduce(points, Wanted("random", 200), seed=4, progress=silent)
    assert not np.allclose(other, reduced), "the seed chooses the directions"


def test_umap_keeps_far_blobs_apart() -> None:
    cloud = blobs(30, 30, dim=20)
    reduced, _, _ = reduce(cloud.points, Wanted("umap", 3), seed=0, progress=silent)
    assert silhouette_score(reduced, cloud.truth) > 0.8


@pytest.mark.parametrize("points", [POINTS, POINTS[:6]], ids=["tall", "wide"])
def test_components_are_scikit_learns_and_orthonormal(points: np.ndarray) -> None:
    linear, explained = fit_pca(points, 4)
    np.testing.assert_allclose(linear.components @ linear.components.T, np.eye(4), atol=1e-5)
    reference = PCA(n_components=4, svd_solver="full").fit(points.astype(np.float64))
    np.testing.assert_allclose(explained, reference.explained_variance_ratio_, atol=1e-5)
    ours, theirs = linear.apply(points), reference.transform(points)
    np.testing.assert_allclose(np.abs(ours), np.abs(theirs), atol=1e-4)
    assert ours.dtype == np.float32


def test_a_share_keeps_the_fewest_components_that_hold_it() -> None:
    linear, explained = fit_pca(POINTS, 0.8)
    assert explained.sum() >= 0.8
    assert explained[:-1].sum() < 0.8
    assert len(linear.components) == len(explained)


def test_equal_points_have_no_variance_to_keep() -> None:
    with pytest.raises(InvalidParameters, match="all points are equal"):
        fit_pca(np.ones((5, 3), np.float32), 0.9)


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_a_point_is_placed_among_its_neighbours_alone(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    similarities = rng.uniform(-1, 1, (5, k))
    places = rng.normal(size=(5, k, 2)).astype(np.float32)
    placed = interpolate(similarities, places)
    assert (placed >= places.min(axis=1) - 1e-4).all()
    assert (placed <= places.max(axis=1) + 1e-4).all()
    np.testing.assert_allclose(placed[:1], interpolate(similarities[:1], places[:1]), atol=1e-5)


def test_a_copy_falls_on_its_original() -> None:
    placed = interpolate(
        np.array([[1.0, 0.9, 0.2]]), np.array([[[3, 4], [0, 0], [9, 9]]], np.float32)
    )
    np.testing.assert_allclose(placed, [[3, 4]], atol=1e-4)


def test_at_equal_likeness_a_point_lies_in_the_middle() -> None:
    placed = interpolate(np.array([[0.5, 0.5]]), np.array([[[0, 0], [2, 4]]], np.float32))
    np.testing.assert_allclose(placed, [[1, 2]], atol=1e-6)
