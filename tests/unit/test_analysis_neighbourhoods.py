"""How alike two lists of neighbours are: known values, and what must hold for all."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike_service.analysis.neighbourhoods import overlap, rank_correlation

LETTERS = list("abcdefghij")
orders = st.permutations(LETTERS)


def ranked(first: list[list[str]], second: list[list[str]]) -> tuple[float, int]:
    """The correlation to twelve decimals, and of how many."""
    tau, count = rank_correlation(first, second)
    assert tau is not None
    return round(tau, 12), count


def test_overlap_is_the_mean_share_in_common() -> None:
    assert overlap([["a", "b"], ["a", "b"]], [["b", "c"], ["x", "y"]], 2) == pytest.approx(0.25)
    assert overlap([["a", "b", "c"]], [["a", "x", "b"]], 1) == 1
    assert overlap([["a", "b"]], [["a", "b"]], 10) == 1  # there are no more
    assert overlap([[], ["a"]], [[], ["a"]], 10) == 1
    assert overlap([[]], [[]], 10) is None
    assert overlap([], [], 10) is None


def test_rank_correlation_heeds_the_order_of_what_is_shared_alone() -> None:
    assert ranked([LETTERS], [LETTERS]) == (1, 1)
    assert ranked([LETTERS], [LETTERS[::-1]]) == (-1, 1)
    strangers = [letter.upper() for letter in LETTERS]
    mixed = [one for pair in zip(strangers, LETTERS, strict=True) for one in pair]
    assert ranked([LETTERS], [mixed]) == (1, 1)
    # One pair of ten is the other way round: 1 - 2 · 1 / 10.
    assert ranked([[*"abcde"]], [[*"abced"]]) == (0.8, 1)


def test_too_few_in_common_have_no_order() -> None:
    assert rank_correlation([[*"abcd"]], [[*"abcd"]]) == (None, 0)
    assert ranked([[*"abcd"], [*"abcde"]], [[*"abcd"], [*"edcba"]]) == (-1, 1)


@given(first=orders, second=orders, k=st.integers(1, 12))
def test_both_are_symmetric_and_within_their_ranges(
    first: list[str], second: list[str], k: int
) -> None:
    shared = overlap([first], [second], k)
    assert shared == overlap([second], [first], k)
    assert shared is not None
    assert 0 <= shared <= 1
    tau, _ = rank_correlation([first], [second])
    assert tau == pytest.approx(rank_correlation([second], [first])[0])
    assert tau is not None
    assert -1 <= tau <= 1


def test_unrelated_orders_are_near_zero() -> None:
    draw = random.Random(0)  # noqa: S311 (reproducible)
    first, second = (
        [draw.sample([str(i) for i in range(50)], 50) for _ in range(200)] for _ in range(2)
    )
    tau, count = rank_correlation(first, second)
    assert count == 200
    assert tau == pytest.approx(0, abs=0.03)
