"""Which cluster became what between two clusterings."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score

from lookalike_service.analysis.lineage import Lineage, trace


def lineage(labels: list[int], later: list[int]) -> Lineage:
    return trace(
        np.array(labels),
        np.array(later),
        clusters=max(labels) + 1,
        later_clusters=max(later) + 1,
    )


def fates(found: Lineage) -> list[tuple[str, list[int]]]:
    return [(fate.event, fate.into) for fate in found.fates]


def test_the_same_clustering_with_other_numbers_is_kept() -> None:
    found = lineage([0, 0, 0, 1, 1, -1], [1, 1, 1, 0, 0, -1])
    assert fates(found) == [("kept", [1]), ("kept", [0])]
    assert found.new == []
    assert [(m.label, m.later, m.jaccard) for m in found.matching] == [(0, 1, 1), (1, 0, 1)]
    assert found.labels == found.later_labels == [-1, 0, 1]
    assert found.overlap.tolist() == [[1, 0, 0], [0, 0, 3], [0, 2, 0]]
    assert found.figures["adjusted_rand"] == 1


def test_a_cluster_in_two_halves_is_split_and_two_in_one_are_merged() -> None:
    found = lineage([0] * 8 + [1] * 4 + [2] * 3, [1] * 4 + [2] * 4 + [0] * 7)
    assert fates(found) == [("split", [1, 2]), ("merged", [0]), ("merged", [0])]
    assert found.new == []


def test_a_cluster_that_most_members_stay_in_is_moved() -> None:
    found = lineage([0] * 10 + [1] * 10, [0] * 8 + [1] * 2 + [1] * 10)
    assert fates(found) == [("moved", [0]), ("moved", [1])]


def test_a_cluster_that_falls_to_noise_is_dissolved_and_one_out_of_noise_is_new() -> None:
    found = lineage([0, 0, 0, 1, 1, -1, -1], [-1, -1, -1, 0, 0, 1, 1])
    assert fates(found) == [("dissolved", []), ("kept", [0])]
    assert found.new == [1]


def test_a_cluster_with_none_of_the_points_is_absent() -> None:
    found = trace(np.array([1, 1]), np.array([0, 0]), clusters=2, later_clusters=1)
    assert fates(found) == [("absent", []), ("kept", [0])]


@pytest.mark.parametrize(("labels", "later"), [([-1, -1], [0, 0]), ([0, 0], [-1, -1])])
def test_noise_alone_is_matched_with_nothing(labels: list[int], later: list[int]) -> None:
    found = lineage(labels, later)
    assert found.matching == []
    assert fates(found) == ([("dissolved", [])] if labels[0] == 0 else [])


@given(st.lists(st.tuples(st.integers(-1, 4), st.integers(-1, 4)), min_size=1, max_size=40))
def test_the_table_counts_every_point_and_each_cluster_has_one_fate(
    pairs: list[tuple[int, int]],
) -> None:
    labels, later = np.array(pairs).T
    found = trace(labels, later, clusters=5, later_clusters=5)
    assert found.overlap.sum() == len(pairs)
    for row, label in enumerate(found.labels):
        for column, other in enumerate(found.later_labels):
            assert found.overlap[row, column] == pairs.count((label, other))
    assert [fate.label for fate in found.fates] == list(range(5))
    for fate in found.fates:
        assert (fate.event == "absent") == (fate.label not in labels)
        assert bool(fate.into) == (fate.event not in ("absent", "dissolved"))
    assert {match.label for match in found.matching} <= set(labels.tolist())
    assert found.figures["adjusted_rand"] == pytest.approx(adjusted_rand_score(labels, later))
