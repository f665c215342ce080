"""Principal components before an analysis, and points placed among others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from lookalike_service.analysis.pca import fit_pca
from lookalike_service.analysis.projection.layout import interpolate
from lookalike_service.analysis.reduction import check_reduction, parse_reduction
from lookalike_service.errors import InvalidParameters
from tests.clouds import unit

POINTS = unit(np.random.default_rng(0).normal(size=(60, 10)) * np.linspace(3, 0.1, 10))


@pytest.mark.parametrize(
    ("text", "amount"), [("pca:50", 50), ("pca:1", 1), ("pca:0.95", 0.95), ("pca:.5", 0.5)]
)
def test_a_reduction_is_a_count_or_a_share(text: str, amount: float) -> None:
    parsed = parse_reduction(text)
    assert parsed == amount
    assert type(parsed) is type(amount)


@pytest.mark.parametrize(
    "text",
    ["", "pca", "pca:", "pca:0", "pca:-3", "pca:1.5", "pca:1.0", "pca:nan", "pca:x", "umap:5",
     "PCA:5", "pca:5:6", "pca:٣", "pca:²"],
)  # fmt: skip
def test_anything_else_is_answered_with_the_forms(text: str) -> None:
    with pytest.raises(InvalidParameters, match="pca:COUNT"):
        parse_reduction(text)


@given(st.one_of(st.text(), st.text().map("pca:{}".format)))
def test_no_text_raises_anything_but_invalid_parameters(text: str) -> None:
    try:
        amount = parse_reduction(text)
    except InvalidParameters:
        return
    assert amount >= 1 if isinstance(amount, int) else 0 < amount < 1


def test_more_components_than_there_can_be_are_refused_with_how_many() -> None:
    check_reduction(10, points=60, dim=10)
    with pytest.raises(InvalidParameters, match="at most 10"):
        check_reduction(11, points=60, dim=10)
    with pytest.raises(InvalidParameters, match="at most 7"):
        fit_pca(POINTS[:7], 8)


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
