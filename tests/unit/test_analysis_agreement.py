"""Clusterings against known classes: scikit-learn's figures, the matching, document 002's quality."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency, fisher_exact
from sklearn import metrics

from lookalike_service.analysis.agreement import find_holding, measure_agreement
from lookalike_service.analysis.composition import measure_independence
from lookalike_service.errors import InvalidParameters

LABELLED = st.lists(st.tuples(st.integers(-1, 4), st.sampled_from("abcd")), min_size=1, max_size=60)


@settings(deadline=None, max_examples=50)
@given(LABELLED)
def test_figures_are_scikit_learns(points: list[tuple[int, str]]) -> None:
    labels, classes = zip(*points, strict=True)
    figures = measure_agreement(np.array(labels), classes).figures
    for name in ("rand", "adjusted_rand", "normalized_mutual_info", "homogeneity", "completeness"):
        full = {"normalized_mutual_info": "normalized_mutual_info_score"}.get(name, f"{name}_score")
        expected = getattr(metrics, full)(classes, labels)
        assert figures[name] == pytest.approx(expected, abs=1e-6), name
    most = sum(max(classes_of.count(c) for c in "abcd") for classes_of in grouped(points))
    assert figures["purity"] == pytest.approx(most / len(points))


def grouped(points: list[tuple[int, str]]) -> list[list[str]]:
    labels = {label for label, _ in points}
    return [[c for found, c in points if found == label] for label in labels]


@settings(deadline=None, max_examples=50)
@given(LABELLED)
def test_the_matching_is_one_to_one_and_no_other_holds_more(points: list[tuple[int, str]]) -> None:
    labels, classes = zip(*points, strict=True)
    found = measure_agreement(np.array(labels), classes)
    assert len(set(found.matching.values())) == len(found.matching)
    assert -1 not in found.matching
    real = [row for row, label in enumerate(found.clusters) if label >= 0]
    size = max(len(real), len(found.classes))
    table = np.zeros((size, size))
    table[: len(real), : len(found.classes)] = found.confusion[real]
    best = max(
        sum(table[row, column] for row, column in enumerate(order))
        for order in itertools.permutations(range(size))
    )
    assert found.figures["matched"] * len(points) == pytest.approx(best)


@settings(deadline=None, max_examples=50)
@given(LABELLED, st.floats(0, 1))
def test_no_other_clusters_hold_a_class_better(
    points: list[tuple[int, str]], weight: float
) -> None:
    labels, classes = zip(*points, strict=True)
    wanted = classes[0]
    agreement = measure_agreement(np.array(labels), classes)
    found = find_holding(agreement, wanted, precision_weight=weight)
    assert found.quality == pytest.approx(quality(points, wanted, found.clusters, weight))
    real = [label for label in agreement.clusters if label >= 0]
    others = itertools.chain.from_iterable(
        itertools.combinations(real, n) for n in range(1, len(real) + 1)
    )
    best = max((quality(points, wanted, list(some), weight) for some in others), default=0.0)
    assert found.quality >= best - 1e-9


def quality(
    points: list[tuple[int, str]], wanted: str, clusters: list[int], weight: float
) -> float:
    if not clusters:
        return 0.0
    truth = [c == wanted for _, c in points]
    taken = [label in clusters for label, _ in points]
    precision = metrics.precision_score(truth, taken, zero_division=0)
    return float(weight * precision + (1 - weight) * metrics.recall_score(truth, taken))


def test_noise_is_counted_and_never_holds_a_class() -> None:
    agreement = measure_agreement(np.array([-1, -1, 0, 0]), ["x", "x", "x", "y"])
    assert agreement.clusters == [-1, 0]
    assert agreement.confusion.tolist() == [[2, 0], [1, 1]]
    found = find_holding(agreement, "x", precision_weight=0.3)
    assert found.clusters == [0]
    assert found.precision == 0.5
    assert found.recall == pytest.approx(1 / 3)
    assert found.quality == pytest.approx(0.3 * 0.5 + 0.7 / 3)


def test_an_unknown_class_is_answered_with_those_there_are() -> None:
    agreement = measure_agreement(np.array([0, 1]), ["x", "y"])
    with pytest.raises(InvalidParameters, match="there are: x, y"):
        find_holding(agreement, "z")
    with pytest.raises(InvalidParameters, match="0 to 1"):
        find_holding(agreement, "x", precision_weight=1.5)
    with pytest.raises(InvalidParameters, match="no labelled points"):
        measure_agreement(np.zeros(0, np.int64), [])


def test_where_counts_are_large_independence_is_tested_by_chi_square() -> None:
    table = np.array([[40, 20], [30, 60]])
    found = measure_independence(table)
    expected = chi2_contingency(table, correction=False)
    assert found is not None
    assert found.test == "chi_square"
    assert found.p == pytest.approx(expected.pvalue, rel=1e-6)
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-6)
    assert found.cramers_v == pytest.approx((expected.statistic / 150) ** 0.5)


def test_where_counts_are_small_it_is_tested_by_shuffling() -> None:
    table = np.array([[8, 2], [1, 7]])
    found = measure_independence(table)
    assert found is not None
    assert found.test == "permutation"
    assert found.p == pytest.approx(fisher_exact(table).pvalue, abs=0.01)
    assert found == measure_independence(table), "the seed settles it"


def test_equal_compositions_are_independent_and_wholly_unlike_ones_are_not() -> None:
    alike = measure_independence(np.array([[30, 30], [50, 50]]))
    unlike = measure_independence(np.array([[50, 0], [0, 50]]))
    assert alike is not None
    assert unlike is not None
    assert (alike.p, alike.cramers_v) == (1.0, 0.0)
    assert unlike.p < 1e-9
    assert unlike.cramers_v == pytest.approx(1)


def test_one_cluster_has_nothing_to_depend_on() -> None:
    assert measure_independence(np.array([[3, 4]])) is None
