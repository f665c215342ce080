"""Heat maps point at what they explain, and never hold NaN."""

from __future__ import annotations

import subprocess
import sys
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image, ImageOps

from lookalike_service.explain.gradcam import closed_form_map
from lookalike_service.explain.heatmap import Heatmap
from lookalike_service.explain.methods import METHODS
from lookalike_service.explain.objectives import Along, Logit, Norm, Objective
from lookalike_service.images import Pixels
from tests import pictures
from tests.encoders import encode_images, features_of, loaded

pytestmark = pytest.mark.usefixtures("one_thread")
K, H, W = 6, 3, 4
finite = st.floats(-1e3, 1e3, width=32, allow_subnormal=False)
any_features = arrays(np.float32, (K, H, W), elements=finite)
any_query = arrays(np.float32, (K,), elements=finite)
any_method = st.sampled_from(sorted(METHODS))


def check_invariants(heatmap: Heatmap, shape: tuple[int, int]) -> None:
    assert heatmap.grid.shape == shape
    assert heatmap.grid.dtype == np.float32
    assert np.isfinite(heatmap.grid).all()
    assert heatmap.grid.min() >= 0
    assert heatmap.grid.max() == (0 if heatmap.empty else 1)
    assert (heatmap.peak > 0) != heatmap.empty


@given(any_features, any_query, any_method)
def test_maps_are_finite_and_scaled_whatever_the_features(
    features: NDArray[np.float32], query: NDArray[np.float32], method: str
) -> None:
    check_invariants(closed_form_map(features, Along(query), method), (H, W))
    check_invariants(closed_form_map(features, Norm(), method), (H, W))


@given(any_features, any_query, st.sampled_from([2.0, 1024.0]))
def test_the_norm_of_the_query_does_not_matter(
    features: NDArray[np.float32], query: NDArray[np.float32], factor: float
) -> None:
    scaled = closed_form_map(features, Along(np.asarray(query * np.float32(factor))))
    np.testing.assert_allclose(scaled.grid, closed_form_map(features, Along(query)).grid, atol=1e-4)


@given(
    arrays(np.float64, (K,), elements=st.floats(-10, 10)),
    arrays(np.float64, (K,), elements=st.floats(-10, 10)),
    st.sampled_from([Norm(), Logit(2), None]),
)
def test_gradients_are_those_of_finite_differences(
    output: NDArray[np.float64], direction: NDArray[np.float64], objective: Objective | None
) -> None:
    objective = objective or Along(direction, offset=0.3)
    if np.linalg.norm(output) < 0.1:
        return
    step = 1e-6 * np.eye(K)
    slopes = [(objective.value(output + s) - objective.value(output - s)) / 2e-6 for s in step]
    # An angle too small to be told from rounding counts as none.
    np.testing.assert_allclose(objective.gradient(output), slopes, atol=2e-2)


def random_features(seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((64, 7, 7), dtype=np.float32)


@pytest.mark.parametrize("method", METHODS)
def test_zero_features_give_empty_maps(method: str) -> None:
    features = np.zeros((64, 7, 7), np.float32)
    query = np.ones(64, np.float32)
    for objective in (Norm(), Along(query)):
        heatmap = closed_form_map(features, objective, method)
        assert heatmap.empty
        check_invariants(heatmap, (7, 7))


def test_a_zero_query_gives_an_empty_map() -> None:
    assert closed_form_map(random_features(), Along(np.zeros(64, np.float32))).empty


def test_an_images_likeness_to_itself_has_an_empty_map_and_its_self_map_has_not() -> None:
    features = random_features()
    own = features.mean(axis=(1, 2))
    own /= np.linalg.norm(own)
    assert closed_form_map(features, Along(own)).empty
    assert not closed_form_map(features, Norm()).empty


def test_features_alike_everywhere_favour_no_place() -> None:
    spread = np.repeat(np.linspace(0.1, 3, 64, dtype=np.float32), 49).reshape(64, 7, 7)
    assert closed_form_map(spread, Along(random_features(1)[:, 0, 0])).empty
    assert closed_form_map(spread, Norm(), "eigencam").empty
    np.testing.assert_allclose(closed_form_map(spread, Norm()).grid, 1, atol=1e-6)


@pytest.mark.parametrize("method", ["gradcam", "hirescam", "gradcam++", "layercam"])
def test_the_map_is_where_the_querys_channel_is(method: str) -> None:
    features = np.full((2, 3, 3), 0.1, np.float32)
    features[0, 0, 0] = features[1, 2, 2] = 5
    heatmap = closed_form_map(features, Along(np.array([1, 0], np.float32)), method)
    assert heatmap.grid[0, 0] == heatmap.grid.max() == 1
    assert heatmap.grid[2, 2] < 0.05


def test_eigencam_is_hot_where_the_features_are_large() -> None:
    features = random_features() * 0.1
    features[:, 2, 5] += 3
    for sign in (1, -1):
        heatmap = closed_form_map(np.asarray(sign * features), Norm(), "eigencam")
        assert heatmap.grid[2, 5] == 1
        assert np.sort(heatmap.grid.ravel())[-2] < 0.1


def test_a_query_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        closed_form_map(random_features(), Along(np.ones(65, np.float32)))


def test_the_closed_form_needs_no_torch() -> None:
    code = "import lookalike_service.explain.gradcam, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# -- the pointing game on the real encoder


NAMES = ("chelsea", "coffee", "astronaut", "rocket")


def tile(name: str, width: int = 128) -> Pixels:
    """The middle of a photograph, 256 high."""
    return np.asarray(ImageOps.fit(Image.fromarray(pictures.photograph(name)), (width, 256)))


def energy_on_the_right(grid: NDArray[np.float32]) -> float:
    """The share of a map's sum on its right half; a column in the middle counts half."""
    columns = np.arange(grid.shape[1]) + 1 - grid.shape[1] / 2
    return float((grid * np.clip(columns, 0, 1)).sum() / grid.sum())


def views(name: str) -> NDArray[np.float32]:
    """Embeddings of a photograph and its mirror image, in two widths: a cluster, or the neighbours of one."""
    cut = [tile(name), tile(name, 256)]
    return encode_images(loaded(), *cut, *(image[:, ::-1].copy() for image in cut)).embeddings


def pair(left: str, right: str) -> NDArray[np.float32]:
    return features_of(loaded(), np.concatenate([tile(left), tile(right)], axis=1))


@pytest.mark.parametrize(("left", "right"), permutations(NAMES, 2))
def test_likeness_to_one_of_two_tiles_lies_on_that_tile(left: str, right: str) -> None:
    features = pair(left, right)
    queries = encode_images(loaded(), tile(left), tile(right)).embeddings
    assert energy_on_the_right(closed_form_map(features, Along(queries[0])).grid) <= 0.15
    assert energy_on_the_right(closed_form_map(features, Along(queries[1])).grid) >= 0.85


@pytest.mark.parametrize(("left", "right"), permutations(NAMES, 2))
def test_a_cluster_rather_than_another_lies_on_its_own_tile(left: str, right: str) -> None:
    """The direction of the target `cluster`: one unit centroid less the other."""
    here, there = (views(name).mean(axis=0) for name in (right, left))
    direction = here / np.linalg.norm(here) - there / np.linalg.norm(there)
    assert energy_on_the_right(closed_form_map(pair(left, right), Along(direction)).grid) >= 0.85


@pytest.mark.parametrize(("left", "right"), permutations(NAMES, 2))
def test_the_mean_of_the_neighbours_of_a_tile_lies_on_it(left: str, right: str) -> None:
    """The direction of the target `neighbours`: the mean of the hits."""
    heatmap = closed_form_map(pair(left, right), Along(views(right).mean(axis=0)))
    assert energy_on_the_right(heatmap.grid) >= 0.85


def test_a_constant_picture_has_maps_without_nan() -> None:
    features = features_of(loaded(), np.full((100, 150, 3), 127, np.uint8))
    query = encode_images(loaded(), pictures.photograph("coffee")).embeddings[0]
    for method in METHODS:
        check_invariants(closed_form_map(features, Norm(), method), (7, 7))
        check_invariants(closed_form_map(features, Along(query), method), (7, 7))
