"""How much effort a search is given."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lookalike_service.store.planner import EXACT_NUMBERS, Effort, effort

TOTAL, DIM = 1_000_000, 512


def planned(matching: int, limit: int = 10, **wishes: object) -> Effort:
    wanted = {"exact": False, "ef": None, **wishes}
    return effort(matching=matching, total=TOTAL, dim=DIM, limit=limit, **wanted)  # type: ignore[arg-type]  # wishes are either


def test_without_a_filter_the_graph_is_walked_lightly() -> None:
    assert planned(TOTAL) == Effort(ef=64)


def test_few_matching_points_are_all_compared() -> None:
    assert planned(EXACT_NUMBERS // DIM) == Effort(exact=True)
    assert planned(0) == Effort(exact=True)
    assert not planned(EXACT_NUMBERS // DIM + 1).exact


def test_the_narrower_the_filter_the_more_effort() -> None:
    assert planned(TOTAL // 2) == Effort(ef=128)
    assert planned(TOTAL // 10) == Effort(ef=512)
    assert planned(TOTAL // 25) == Effort(ef=64, acorn=True)


def test_the_callers_wishes_come_first() -> None:
    assert planned(TOTAL, exact=True) == Effort(exact=True)
    assert planned(TOTAL // 2, ef=100) == Effort(ef=100)
    assert planned(5, ef=100) == Effort(ef=100, acorn=True)


@given(
    matching=st.integers(0, TOTAL),
    limit=st.integers(1, 10_000),
    ef=st.none() | st.integers(1, 10_000),
)
def test_a_graph_is_never_walked_with_fewer_candidates_than_hits(
    matching: int, limit: int, ef: int | None
) -> None:
    chosen = planned(matching, limit, ef=ef)
    assert chosen.exact or (chosen.ef or 0) >= 2 * limit
