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

from lookalike_service.explain.gradcam import Heatmap, self_map, similarity_map
from lookalike_service.images import Pixels
from tests import pictures
from tests.encoders import encode_images, features_of, loaded

K, H, W = 6, 3, 4
finite = st.floats(-1e3, 1e3, width=32, allow_subnormal=False)
any_features = arrays(np.float32, (K, H, W), elements=finite)
any_query = arrays(np.float32, (K,), elements=finite)


def check_invariants(heatmap: Heatmap, shape: tuple[int, int]) -> None:
    assert heatmap.grid.shape == shape
    assert heatmap.grid.dtype == np.float32
    assert np.isfinite(heatmap.grid).all()
    assert heatmap.grid.min() >= 0
    assert heatmap.grid.max() == (0 if heatmap.empty else 1)
    assert (heatmap.peak > 0) != heatmap.empty


@given(any_features, any_query)
def test_maps_are_finite_and_scaled_whatever_the_features(
    features: NDArray[np.float32], query: NDArray[np.float32]
) -> None:
    check_invariants(similarity_map(features, query), (H, W))
    check_invariants(self_map(features), (H, W))


@given(any_features, any_query, st.sampled_from([2.0, 1024.0]))
def test_the_norm_of_the_query_does_not_matter(
    features: NDArray[np.float32], query: NDArray[np.float32], factor: float
) -> None:
    scaled = similarity_map(features, np.asarray(query * np.float32(factor)))
    np.testing.assert_allclose(scaled.grid, similarity_map(features, query).grid, atol=1e-4)


def random_features(seed: int = 0) -> NDArray[np.float32]:
    return np.random.default_rng(seed).random((64, 7, 7), dtype=np.float32)


def test_zero_features_give_empty_maps() -> None:
    features = np.zeros((64, 7, 7), np.float32)
    query = np.ones(64, np.float32)
    for heatmap in (self_map(features), similarity_map(features, query)):
        assert heatmap.empty
        check_invariants(heatmap, (7, 7))


def test_a_zero_query_gives_an_empty_map() -> None:
    assert similarity_map(random_features(), np.zeros(64, np.float32)).empty


def test_an_images_likeness_to_itself_has_an_empty_map_and_its_self_map_has_not() -> None:
    features = random_features()
    own = features.mean(axis=(1, 2))
    own /= np.linalg.norm(own)
    assert similarity_map(features, own).empty
    assert not self_map(features).empty


def test_features_alike_everywhere_favour_no_place() -> None:
    spread = np.repeat(np.linspace(0.1, 3, 64, dtype=np.float32), 49).reshape(64, 7, 7)
    assert similarity_map(spread, random_features(1)[:, 0, 0]).empty
    np.testing.assert_allclose(self_map(spread).grid, 1, atol=1e-6)


def test_the_map_is_where_the_querys_channel_is() -> None:
    features = np.full((2, 3, 3), 0.1, np.float32)
    features[0, 0, 0] = features[1, 2, 2] = 5
    heatmap = similarity_map(features, np.array([1, 0], np.float32))
    assert heatmap.grid[0, 0] == heatmap.grid.max() == 1
    assert heatmap.grid[2, 2] == 0


def test_a_query_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        similarity_map(random_features(), np.ones(65, np.float32))


def test_grad_cam_needs_no_torch() -> None:
    code = "import lookalike_service.explain.gradcam, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603 - fixed arguments


# -- the pointing game on the real encoder


def tile(name: str) -> Pixels:
    """The middle of a photograph, 128 × 256."""
    return np.asarray(ImageOps.fit(Image.fromarray(pictures.photograph(name)), (128, 256)))


def energy_on_the_right(grid: NDArray[np.float32]) -> float:
    """The share of a map's sum on its right half; a column in the middle counts half."""
    columns = np.arange(grid.shape[1]) + 1 - grid.shape[1] / 2
    return float((grid * np.clip(columns, 0, 1)).sum() / grid.sum())


@pytest.mark.parametrize(
    ("left", "right"), permutations(["chelsea", "coffee", "astronaut", "rocket"], 2)
)
def test_likeness_to_one_of_two_tiles_lies_on_that_tile(left: str, right: str) -> None:
    encoder = loaded()
    features = features_of(encoder, np.concatenate([tile(left), tile(right)], axis=1))
    queries = encode_images(encoder, tile(left), tile(right)).embeddings
    assert energy_on_the_right(similarity_map(features, queries[0]).grid) <= 0.15
    assert energy_on_the_right(similarity_map(features, queries[1]).grid) >= 0.85


def test_a_constant_picture_has_maps_without_nan() -> None:
    features = features_of(loaded(), np.full((100, 150, 3), 127, np.uint8))
    query = encode_images(loaded(), pictures.photograph("coffee")).embeddings[0]
    check_invariants(self_map(features), (7, 7))
    check_invariants(similarity_map(features, query), (7, 7))
