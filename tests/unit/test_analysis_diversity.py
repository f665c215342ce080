"""Choosing hits that differ, and what examples together ask for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike_service.analysis.diversity import maximal_marginal_relevance
from lookalike_service.analysis.recommendation import average_vector, best_scores
from tests.clouds import Points, unit


def points(seed: int, count: int = 12, dim: int = 6) -> Points:
    return unit(np.random.default_rng(seed).normal(size=(count, dim)))


def similarity(rows: Points, seed: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.asarray(rows @ points(seed, 1)[0], np.float64)


@given(seed=st.integers(0, 10_000), count=st.integers(1, 15))
def test_without_diversity_the_order_is_that_of_relevance(seed: int, count: int) -> None:
    rows = points(seed)
    relevance = similarity(rows, seed + 1)
    chosen = maximal_marginal_relevance(rows, relevance, count, diversity=0)
    assert chosen == np.argsort(-relevance, kind="stable")[:count].tolist()


@given(seed=st.integers(0, 10_000), diversity=st.floats(0, 1))
def test_each_choice_is_the_best_by_the_formula(seed: int, diversity: float) -> None:
    rows = points(seed)
    relevance = similarity(rows, seed + 1)
    chosen = maximal_marginal_relevance(rows, relevance, len(rows), diversity=diversity)
    assert sorted(chosen) == list(range(len(rows)))
    assert chosen[0] == int(np.argmax(relevance))
    for at in range(1, len(chosen)):
        before, left = rows[chosen[:at]], chosen[at:]
        marginal = [
            (1 - diversity) * relevance[row] - diversity * float((before @ rows[row]).max())
            for row in left
        ]
        assert marginal[0] == pytest.approx(max(marginal), abs=1e-6)


@given(seed=st.integers(0, 10_000), diversity=st.floats(0, 1), count=st.integers(1, 11))
def test_a_longer_page_begins_with_the_shorter(seed: int, diversity: float, count: int) -> None:
    rows = points(seed)
    relevance = similarity(rows, seed + 1)
    short = maximal_marginal_relevance(rows, relevance, count, diversity=diversity)
    longer = maximal_marginal_relevance(rows, relevance, count + 1, diversity=diversity)
    assert longer[:count] == short


def test_a_copy_of_a_chosen_one_waits_for_what_is_new() -> None:
    rows = unit(np.array([[1, 0.1, 0], [1, 0.1, 0.001], [0.8, -0.6, 0]]))
    relevance = np.asarray(rows[:, 0], np.float64)
    assert maximal_marginal_relevance(rows, relevance, 3, diversity=0.5) == [0, 2, 1]


def test_the_average_vector_is_twice_the_liked_less_the_disliked() -> None:
    liked, disliked = points(1, 3), points(2, 2)
    expected = 2 * liked.mean(axis=0) - disliked.mean(axis=0)
    np.testing.assert_allclose(average_vector(liked, disliked), expected, atol=1e-6)
    none = np.empty((0, 6), np.float32)
    np.testing.assert_allclose(average_vector(liked, none), liked.mean(axis=0), atol=1e-6)


def test_the_best_score_is_of_the_nearest_positive_and_loses_to_a_nearer_negative() -> None:
    axes = np.eye(3, dtype=np.float32)
    rows = unit(np.array([[3, 1, 0], [1, 0, 2], [1, 2, 0]]))
    scores, wins = best_scores(rows, axes[:2], axes[2:])
    np.testing.assert_allclose(scores, np.maximum(rows[:, 0], rows[:, 1]), atol=1e-6)
    assert wins.tolist() == [True, False, True]
    none = np.empty((0, 3), np.float32)
    assert best_scores(rows, axes[:1], none)[1].all()
