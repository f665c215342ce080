"""The distribution of cosines of unrelated images: what is stated of it must hold on pairs never seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lookalike_service.analysis.null_similarity import (
    NullSimilarity,
    analyse,
    fit_null_similarity,
    pair_cosines,
)
from lookalike_service.analysis.progress import silent
from lookalike_service.errors import InvalidParameters
from tests.clouds import Points, unit

Arrays = dict[str, NDArray[Any]]


def clustered(n: int, *, clusters: int, width: float, seed: int, dim: int = 48) -> Points:
    """Images of a collection: the centres are the same for every seed, the images are not."""
    centres = np.random.default_rng(clusters).normal(size=(clusters, dim))
    rng = np.random.default_rng(seed)
    members = centres[rng.integers(0, clusters, n)]
    return unit(members + width * rng.normal(size=(n, dim)))


def with_copies(points: Points, count: int, seed: int = 9) -> Points:
    """The first `count` points once more, hardly changed."""
    noise = 0.005 * np.random.default_rng(seed).normal(size=(count, points.shape[1]))
    return np.concatenate([points, unit(points[:count] + noise)])


def cosines(points: Points) -> NDArray[np.float32]:
    return pair_cosines(points, np.arange(len(points)))


def share_at_most(null: NullSimilarity, held_out: NDArray[np.float32], chance: float) -> float:
    """Of pairs never seen, the share whose stated chance is at most this."""
    return float((null.chance(held_out) <= chance).mean())


@settings(max_examples=12, deadline=None)
@given(
    clusters=st.sampled_from([1, 3, 10, 40]),
    width=st.floats(0.6, 1.5),
    seed=st.integers(0, 1000),
)
def test_the_stated_chance_holds_on_held_out_pairs(clusters: int, width: float, seed: int) -> None:
    null = fit_null_similarity(cosines(clustered(1500, clusters=clusters, width=width, seed=seed)))
    held_out = cosines(clustered(1500, clusters=clusters, width=width, seed=seed + 5000))
    for chance, tolerance in ((0.5, 1.1), (0.1, 1.2), (0.01, 1.4), (0.001, 2.0), (1e-4, 4.0)):
        found = share_at_most(null, held_out, chance)
        assert chance / tolerance <= found <= chance * tolerance, (chance, found)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), clusters=st.sampled_from([1, 5, 20]))
def test_the_chance_falls_as_the_cosine_rises_and_is_never_nothing(
    seed: int, clusters: int
) -> None:
    sample = cosines(clustered(120, clusters=clusters, width=0.8, seed=seed))
    chances = fit_null_similarity(sample).chance(np.linspace(-1, 1, 2001))
    assert (np.diff(chances) <= 1e-12).all()
    assert chances[0] == 1
    assert chances[-1] >= 0.1 / len(sample)


@pytest.mark.parametrize("chance", [0.5, 0.1, 0.01, 0.001])
def test_a_cosine_is_found_by_its_chance(chance: float) -> None:
    null = fit_null_similarity(cosines(clustered(800, clusters=10, width=1.0, seed=0)))
    assert null.chance(null.cosine(chance)) == pytest.approx(chance, rel=1e-6)


def test_copies_are_left_out_and_do_not_change_the_chance() -> None:
    clean = clustered(600, clusters=5, width=1.0, seed=1)
    spoilt = with_copies(clean, 300)
    parameters = {"near_duplicate": 0.97}
    arrays: Arrays = {"vectors": spoilt, "twins": np.arange(len(spoilt))}
    out, figures = analyse(arrays, parameters, silent)
    assert figures["copies"] == 300
    assert figures["near_duplicate"] == 0.97
    expected = fit_null_similarity(cosines(clean))
    assert out["quantiles"] == pytest.approx(expected.quantiles, abs=0.02)
    assert figures["threshold"] == pytest.approx(expected.tail.threshold, abs=0.02)


def test_copies_that_remain_raise_the_chance_but_never_lower_it_much() -> None:
    clean = clustered(600, clusters=5, width=1.0, seed=1)
    honest = fit_null_similarity(cosines(clean))
    spoilt = fit_null_similarity(cosines(with_copies(clean, 100)))
    at = [honest.cosine(chance) for chance in (0.1, 0.01, 0.001, 1e-4)]
    ratio = spoilt.chance(at) / honest.chance(at)
    assert (ratio > 0.6).all()
    assert (ratio[:3] < 1.5).all()  # there are four copies in ten thousand pairs


def test_files_of_equal_bytes_are_no_pair() -> None:
    points = clustered(60, clusters=2, width=1.0, seed=3)
    twice = np.concatenate([points, points])
    numbers = np.tile(np.arange(60), 2)
    pairs = pair_cosines(twice, numbers)
    assert len(pairs) == 120 * 119 // 2 - 60
    assert pairs.max() < 1 - 1e-6


def test_every_pair_is_counted_once_over_blocks() -> None:
    points = clustered(1100, clusters=3, width=1.0, seed=4)  # more than two blocks
    expected = (points @ points.T)[np.triu_indices(1100, 1)]
    np.testing.assert_allclose(np.sort(cosines(points)), np.sort(expected), atol=1e-6)


def test_an_encoder_that_cannot_tell_copies_apart_says_so() -> None:
    points = clustered(200, clusters=1, width=0.2, seed=5)  # all are much alike
    arrays: Arrays = {"vectors": points, "twins": np.arange(200)}
    _, figures = analyse(arrays, {"near_duplicate": 0.9}, silent)
    assert figures["near_duplicate"] is None
    assert figures["copies"] == 0
    assert figures["pairs"] == 200 * 199 // 2


def test_what_is_all_alike_has_no_tail() -> None:
    same = np.tile(clustered(1, clusters=1, width=1.0, seed=6), (80, 1))
    arrays: Arrays = {"vectors": same, "twins": np.arange(80)}
    with pytest.raises(InvalidParameters, match="too much alike"):
        analyse(arrays, {"near_duplicate": 2.0}, silent)


def test_too_few_different_images_are_refused() -> None:
    points = clustered(60, clusters=2, width=1.0, seed=7)
    few: Arrays = {"vectors": points[:40], "twins": np.arange(40)}
    with pytest.raises(InvalidParameters, match="50 different images"):
        analyse(few, {"near_duplicate": 0.99}, silent)
