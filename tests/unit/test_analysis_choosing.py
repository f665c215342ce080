"""How many clusters: sweeps, the figures they go by, and whether there is structure at all."""

from __future__ import annotations

import io
from dataclasses import asdict
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn import metrics
from sklearn.metrics import pairwise_distances

from lookalike_service.analysis.clustering import stability, sweep
from lookalike_service.analysis.clustering.algorithms import cluster, resolve_range
from lookalike_service.analysis.clustering.analyse import analyse
from lookalike_service.analysis.clustering.gap import measure_gaps
from lookalike_service.analysis.clustering.neighbours import knee
from lookalike_service.analysis.clustering.stability import measure_stability
from lookalike_service.analysis.dispersion import measure_dispersion
from lookalike_service.analysis.progress import silent
from lookalike_service.analysis.silhouette import summarise
from lookalike_service.analysis.sweep_plot import plot_sweep
from lookalike_service.analysis.tendency import hopkins
from lookalike_service.errors import InvalidParameters
from lookalike_service.schemas.clusterings import Criterion
from tests.clouds import blobs, unit

FOUR = blobs(40, 35, 30, 25, width=0.08)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(3, 60), st.integers(1, 5))
def test_figures_of_a_sweep_are_scikit_learns(seed: int, n: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    points, labels = rng.normal(size=(n, 3)).astype(np.float32), rng.integers(0, k, n)
    found = measure_dispersion(points, labels)
    values = sweep.silhouettes(pairwise_distances(points.astype(np.float64)), labels)
    if not 2 <= len(np.unique(labels)) < n:
        assert (found.calinski_harabasz, found.davies_bouldin, values) == (None, None, None)
        return
    wide = points.astype(np.float64)
    assert found.calinski_harabasz == pytest.approx(
        metrics.calinski_harabasz_score(wide, labels), rel=1e-6
    )
    assert found.davies_bouldin == pytest.approx(
        metrics.davies_bouldin_score(wide, labels), rel=1e-6
    )
    assert values is not None
    np.testing.assert_allclose(values, metrics.silhouette_samples(wide, labels), atol=1e-6)


def test_equal_members_are_as_scikit_learn_has_them() -> None:
    points = np.repeat(np.eye(3, dtype=np.float32), 3, axis=0)
    labels = np.repeat([0, 1, 2], 3)
    found = measure_dispersion(points, labels)
    assert found.calinski_harabasz == metrics.calinski_harabasz_score(points, labels)
    assert found.davies_bouldin == metrics.davies_bouldin_score(points, labels)


def test_the_interval_of_a_sampled_silhouette_holds_the_exact_one() -> None:
    cloud = blobs(1500, 1000, width=0.3)
    values = metrics.silhouette_samples(cloud.points, cloud.truth)
    exact = summarise(values, exact=True)
    assert exact is not None
    assert exact.low == exact.mean == exact.high
    inside = 0
    for seed in range(50):
        drawn = np.random.default_rng(seed).choice(values, 200)
        found = summarise(drawn, exact=False)
        assert found is not None
        inside += found.low <= exact.mean <= found.high
    assert 42 <= inside <= 50, "about 95 in a hundred"


@pytest.mark.parametrize("algorithm", ["kmeans", "spherical_kmeans", "agglomerative", "kmedoids"])
def test_a_sweep_finds_how_many_blobs_there_are(algorithm: str) -> None:
    found = sweep.sweep(FOUR.points, algorithm, {}, range(2, 9), seed=0, progress=silent)
    assert [c.k for c in found.candidates] == list(range(2, 9))
    assert set(found.choices.values()) == {4}, found.choices
    assert found.points == 130
    within = [c.within for c in found.candidates]
    assert within == sorted(within, reverse=True)


def test_of_many_points_a_sample_is_swept_with_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "SWEEP_POINTS", 100)
    monkeypatch.setattr(sweep, "SILHOUETTE_POINTS", 60)
    found = sweep.sweep(FOUR.points, "kmeans", {}, range(3, 6), seed=0, progress=silent)
    assert found.points == 100
    assert found.choices["silhouette"] == 4
    for candidate in found.candidates:
        low, mean, high = (
            candidate.silhouette_low, candidate.silhouette, candidate.silhouette_high,
        )  # fmt: skip
        assert low is not None
        assert mean is not None
        assert high is not None
        assert low < mean < high
    again = sweep.sweep(FOUR.points, "kmeans", {}, range(3, 6), seed=0, progress=silent)
    assert again == found


def test_the_api_offers_the_criteria_that_a_sweep_knows() -> None:
    assert set(get_args(Criterion)) == set(get_args(sweep.Criterion))


def test_without_structure_the_gap_says_one_cluster() -> None:
    rng = np.random.default_rng(0)
    cube = rng.uniform(-1, 1, (300, 2)).astype(np.float32)
    found = sweep.sweep(cube, "kmeans", {}, range(1, 6), seed=0, progress=silent)
    assert found.choices["gap"] == 1
    assert found.candidates[0].silhouette is None, "one cluster has none"


def test_a_gap_is_none_where_there_are_too_few_points_or_no_width() -> None:
    points = np.eye(3, dtype=np.float32)
    gaps = measure_gaps(points, [2, 3, 4], seed=0)
    assert gaps[0] is not None
    assert gaps[1:] == [None, None]


def test_the_knee_is_where_the_curve_bends() -> None:
    assert knee(np.array([100, 50, 20, 10, 9, 8, 7, 6])) == 2
    assert knee(np.array([1, 1.1, 1.2, 1.3, 5, 9])) == 3
    assert knee(np.array([3.0, 2.0, 1.0])) == 0, "a straight line has none"
    assert knee(np.array([2.0, 2.0, 2.0])) == 0
    assert knee(np.array([5.0])) == 0


def test_the_hopkins_statistic_tells_blobs_from_an_even_spread() -> None:
    rng = np.random.default_rng(0)
    even = hopkins(rng.uniform(size=(2000, 2)).astype(np.float32), seed=1)  # not the data again
    grouped = hopkins(blobs(900, 900, dim=3, width=0.01).points)
    assert even == pytest.approx(0.5, abs=0.05)
    assert grouped is not None
    assert grouped > 0.9
    assert hopkins(np.ones((50, 3), np.float32)) is None
    assert hopkins(np.eye(2, dtype=np.float32)) is None


def test_clear_clusters_are_stable_and_arbitrary_ones_are_not() -> None:
    fit = cluster(FOUR.points, "kmeans", {"k": 4})
    mean, each = measure_stability(
        FOUR.points, fit.labels, "kmeans", {"k": 4}, resamples=4, seed=0, progress=silent
    )
    assert mean > 0.99
    assert each.shape == (4,)
    assert each.min() > 0.99
    noise = unit(np.random.default_rng(0).normal(size=(150, 8)))
    fit = cluster(noise, "kmeans", {"k": 7})
    mean, each = measure_stability(
        noise, fit.labels, "kmeans", {"k": 7}, resamples=4, seed=0, progress=silent
    )
    assert mean < 0.6
    assert each.min() < 0.6


def test_a_cluster_that_was_never_drawn_has_no_overlap() -> None:
    values = stability._jaccard(np.array([0, 0, 2]), np.array([1, 1, -1]), 3)
    assert values[0] == 1
    assert np.isnan(values[1])
    assert values[2] == 0, "what becomes noise is found nowhere"


def test_resamples_that_cannot_be_clustered_say_so() -> None:
    with pytest.raises(InvalidParameters, match="stability: a resample of"):
        measure_stability(
            np.eye(6, dtype=np.float32), np.arange(6), "kmeans", {"k": 6},
            resamples=3, seed=0, progress=silent,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("k", "text"),
    [([2], r"\[from, to\]"), ([2, 3, 4], r"\[from, to\]"), ([5, 2], "from the smaller"), ([0, 4], "from 1"),
     ([2, 99], "allowed here: 1 to 60"), ([2, 2.5], "whole number"), ([1, 60], "at most 50"),
     (["2", 4], "whole number"), ([2, None], "whole number")],
)  # fmt: skip
def test_an_impossible_range_is_refused(k: list[Any], text: str) -> None:
    with pytest.raises(InvalidParameters, match=text):
        resolve_range("kmeans", {"k": k}, points=60)


def test_a_range_for_an_algorithm_that_finds_the_number_is_refused() -> None:
    with pytest.raises(InvalidParameters, match="hdbscan has no parameter k"):
        resolve_range("hdbscan", {"k": [2, 4]}, points=60)


@pytest.mark.parametrize("ks", [range(1, 6), range(2, 3), range(1, 2)])
def test_a_sweep_is_drawn_whatever_is_undefined(ks: range) -> None:
    found = sweep.sweep(FOUR.points, "kmeans", {}, ks, seed=0, progress=silent)
    candidates = [asdict(candidate) for candidate in found.candidates]
    choices = {str(criterion): k for criterion, k in found.choices.items()}
    drawn = plot_sweep(candidates, choices, criterion="gap", title="costs $5 and _more_ {}")
    with Image.open(io.BytesIO(drawn)) as image:
        assert image.format == "PNG"
        assert int(np.asarray(image.convert("L")).min()) < 100, "there is something to see"


def whole(**changes: Any) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    seen: list[str] = []
    parameters = {
        "algorithm": "kmeans", "parameters": {}, "reduction": None, "seed": 0,
        "criterion": "silhouette", "stability": 0, **changes,
    }  # fmt: skip
    arrays, figures = analyse(
        {"vectors": FOUR.points}, parameters, lambda stage, *_: seen.append(stage)
    )
    return arrays, figures, seen


@pytest.mark.parametrize("criterion", ["silhouette", "elbow", "gap"])
def test_a_whole_clustering_chooses_its_k(criterion: str) -> None:
    arrays, figures, seen = whole(parameters={"k": [2, 7]}, criterion=criterion)
    assert len(figures["clusters"]) == figures["sweep"]["k"] == 4
    assert figures["sweep"]["criterion"] == criterion
    assert len(figures["sweep"]["candidates"]) == 6
    assert arrays["labels"].max() == 3
    assert "trying k" in seen


def test_a_criterion_that_is_undefined_for_all_k_is_refused() -> None:
    with pytest.raises(InvalidParameters, match="silhouette is undefined for every k from 1 to 1"):
        whole(parameters={"k": [1, 1]})


def test_a_whole_clustering_measures_structure_and_stability() -> None:
    _, figures, seen = whole(parameters={"k": 4}, stability=3)
    assert figures["diagnostics"]["hopkins"] > 0.6
    assert figures["diagnostics"]["stability"] > 0.99
    assert all(found["stability"] > 0.99 for found in figures["clusters"])
    assert figures["sweep"] is None
    assert "measuring stability" in seen
    _, figures, _ = whole(parameters={"k": 4})
    assert "stability" not in figures["diagnostics"]
