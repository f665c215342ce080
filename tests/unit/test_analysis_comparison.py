"""How two sets of points differ: against the definitions, and against what established code computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import sqrtm

from lookalike_service.analysis.comparison import counterparts as counterparts_module
from lookalike_service.analysis.comparison.analyse import analyse
from lookalike_service.analysis.comparison.bootstrap import draw_counts, interval
from lookalike_service.analysis.comparison.classifier import measure_separability
from lookalike_service.analysis.comparison.counterparts import find_counterparts
from lookalike_service.analysis.comparison.coverage import NEIGHBOURS, measure_coverage
from lookalike_service.analysis.comparison.discrepancy import measure_discrepancy
from lookalike_service.analysis.comparison.frechet import (
    fit_gaussian,
    frechet_distance,
    measure_frechet,
)
from lookalike_service.analysis.comparison.shares import compare_shares
from lookalike_service.analysis.progress import silent
from lookalike_service.errors import InvalidParameters
from tests.clouds import Points, blobs, unit


def cloud(n: int, dim: int = 16, *, shift: float = 0.0, seed: int = 0) -> Points:
    """Unit vectors around one direction, moved along the first axis."""
    points = np.random.default_rng(seed).normal(size=(n, dim)) + 1
    points[:, 0] += shift
    return unit(points)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


# -- the Fréchet distance


def established(first: Points, second: Points) -> float:
    """The formula as pytorch-fid, torch-fidelity and clean-fid have it: scipy's square root of C₁ C₂."""
    means = first.mean(axis=0, dtype=np.float64), second.mean(axis=0, dtype=np.float64)
    covariances = [np.cov(points.astype(np.float64), rowvar=False) for points in (first, second)]
    root = sqrtm(covariances[0] @ covariances[1]).real
    rest = np.trace(covariances[0]) + np.trace(covariances[1]) - 2 * np.trace(root)
    return float(((means[0] - means[1]) ** 2).sum() + rest)


@pytest.mark.parametrize("dim", [3, 64])
def test_the_frechet_distance_is_that_of_established_code(dim: int) -> None:
    first, second = cloud(400, dim), cloud(300, dim, shift=0.5, seed=1)
    found = frechet_distance(fit_gaussian(first), fit_gaussian(second))
    assert found == pytest.approx(established(first, second), rel=1e-6)
    measured = measure_frechet(first, second, rng())
    assert measured.distance.value == pytest.approx(found, rel=1e-9)
    assert measured.mean_term + measured.covariance_term == pytest.approx(found, rel=1e-9)


def test_of_fewer_points_than_dimensions_it_is_exact_as_well() -> None:
    first, second = cloud(20, 50), cloud(30, 50, seed=1)
    centred = [(p - p.mean(axis=0)) / np.sqrt(len(p) - 1) for p in (first, second)]
    shared = np.linalg.svd(centred[0].astype(np.float64) @ centred[1].T, compute_uv=False).sum()
    terms = [(c.astype(np.float64) ** 2).sum() for c in centred]
    apart = ((first.mean(axis=0) - second.mean(axis=0)) ** 2).sum()
    found = frechet_distance(fit_gaussian(first), fit_gaussian(second))
    assert found == pytest.approx(apart + sum(terms) - 2 * shared, rel=1e-5)


def test_a_set_is_at_no_distance_from_itself() -> None:
    points = cloud(100)
    assert frechet_distance(fit_gaussian(points), fit_gaussian(points)) == pytest.approx(
        0, abs=1e-12
    )


def test_the_interval_is_as_wide_as_new_samples_spread() -> None:
    values, widths = [], []
    for seed in range(60):
        first, second = cloud(300, 4, seed=seed), cloud(250, 4, shift=1, seed=1000 + seed)
        found = measure_frechet(first, second, np.random.default_rng(seed)).distance
        values.append(found.value)
        widths.append(found.high - found.low)
    assert np.mean(widths) == pytest.approx(2 * 1.96 * np.std(values), rel=0.25)


def test_what_there_is_without_a_difference_tells_bias_from_distance() -> None:
    same = measure_frechet(cloud(60), cloud(60, seed=1), rng())
    assert same.distance.value == pytest.approx(same.no_difference, rel=0.5)
    apart = measure_frechet(cloud(60), cloud(60, shift=3, seed=1), rng())
    assert apart.distance.value > 2 * apart.no_difference


# -- kernels


def by_definition(kernel: Any, first: Points, second: Points) -> float:
    """The unbiased estimate of the squared discrepancy, pair by pair (Gretton et al. 2012, eq. 3)."""
    within = [
        np.mean([kernel(x, y) for i, x in enumerate(p) for j, y in enumerate(p) if i != j])
        for p in (first, second)
    ]
    across = np.mean([kernel(x, y) for x in first for y in second])
    return float(within[0] + within[1] - 2 * across)


def test_the_discrepancies_are_those_of_their_definitions() -> None:
    first, second = cloud(12), cloud(9, shift=1, seed=1)
    found = measure_discrepancy(first, second, rng())
    both = np.concatenate([first, second])
    distances = [np.linalg.norm(x - y) for i, x in enumerate(both) for y in both[:i]]
    assert found.bandwidth == pytest.approx(np.median(distances), rel=1e-4)

    def gaussian(x: Points, y: Points) -> float:
        return float(np.exp(-((x - y) ** 2).sum() / (2 * found.bandwidth**2)))

    def polynomial(x: Points, y: Points) -> float:
        return float((x @ y + 1) ** 3)

    assert found.mmd.value == pytest.approx(by_definition(gaussian, first, second), abs=1e-5)
    assert found.kid.value == pytest.approx(by_definition(polynomial, first, second), abs=1e-4)
    assert found.mmd.low <= found.mmd.value <= found.mmd.high


def test_a_difference_has_the_smallest_p_and_none_a_large_one() -> None:
    assert measure_discrepancy(cloud(80), cloud(60, shift=2, seed=1), rng()).p == 1 / 1001
    chances = [
        measure_discrepancy(cloud(40, seed=s), cloud(30, seed=100 + s), rng()).p for s in range(12)
    ]
    assert np.mean(np.array(chances) < 0.2) < 0.5
    assert max(chances) > 0.5


def test_bootstrap_samples_are_of_the_size_of_the_set() -> None:
    counts = draw_counts(7, rng())
    assert counts.shape == (1000, 7)
    assert (counts.sum(axis=1) == 7).all()
    found = interval(0.5, np.arange(1001) / 1000)
    assert (found.low, found.high) == pytest.approx((0.025, 0.975))


# -- precision, recall, density, coverage


def ball_radii(points: Points) -> list[float]:
    return [np.sort(np.linalg.norm(points - x, axis=1))[NEIGHBOURS] for x in points]


def test_precision_recall_density_and_coverage_are_those_of_their_definitions() -> None:
    first, second = cloud(40, 4), cloud(30, 4, shift=1, seed=1)
    found = measure_coverage(first, second, rng())
    radii, radii_second = ball_radii(first), ball_radii(second)
    inside = np.array(
        [[np.linalg.norm(x - y) < r for y in second] for x, r in zip(first, radii, strict=True)]
    )
    back = np.array(
        [
            [np.linalg.norm(x - y) < r for y, r in zip(second, radii_second, strict=True)]
            for x in first
        ]
    )
    assert found.precision.value == pytest.approx(inside.any(axis=0).mean())
    assert found.recall.value == pytest.approx(back.any(axis=1).mean())
    assert found.density.value == pytest.approx(inside.sum() / (NEIGHBOURS * len(second)))
    assert found.coverage.value == pytest.approx(inside.any(axis=1).mean())


def test_sets_far_apart_cover_nothing_of_each_other() -> None:
    both = blobs(40, 30, width=0.01)
    found = measure_coverage(both.points[both.truth == 0], both.points[both.truth == 1], rng())
    for figure in (found.precision, found.recall, found.density, found.coverage):
        assert (figure.value, figure.low, figure.high) == (0, 0, 0)


# -- the classifier


def test_a_classifier_tells_far_sets_apart_and_equal_ones_not() -> None:
    apart = measure_separability(cloud(60), cloud(50, shift=20, seed=1), rng())
    assert apart.auc.value == 1
    assert apart.accuracy.value > 0.95
    assert apart.p < 1e-6
    assert apart.held_out == 55
    alike = measure_separability(cloud(200), cloud(200, seed=1), rng())
    assert alike.auc.low < 0.5 < alike.auc.high
    assert alike.p > 0.01


def test_its_p_is_small_no_more_often_than_it_says() -> None:
    chances = [
        measure_separability(cloud(40, seed=s), cloud(30, seed=1000 + s), rng()).p
        for s in range(60)
    ]
    assert np.mean(np.array(chances) < 0.1) < 0.25


# -- counterparts and clusters


def test_counterparts_are_the_nearest_of_the_other_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counterparts_module, "_BLOCK", 7)
    first, second = cloud(30), cloud(23, seed=1)
    there, back = find_counterparts(first, second, silent)
    cosines = first @ second.T
    assert there.row.tolist() == cosines.argmax(axis=1).tolist()
    assert back.row.tolist() == cosines.argmax(axis=0).tolist()
    np.testing.assert_allclose(there.cosine, cosines.max(axis=1), atol=1e-6)
    np.testing.assert_allclose(back.cosine, cosines.max(axis=0), atol=1e-6)


def test_shares_name_the_clusters_that_differ_and_count_every_point() -> None:
    first = np.array([0] * 50 + [1] * 40 + [-1] * 10)
    second = np.array([0] * 10 + [1] * 40)
    shares, independence = compare_shares(first, second, rng())
    assert [share.label for share in shares] == [0, 1, -1] or [s.label for s in shares] == [
        1,
        0,
        -1,
    ]
    by_label = {share.label: share for share in shares}
    assert sum(share.first for share in shares) == 100
    assert sum(share.second for share in shares) == 50
    assert by_label[0].difference.value == pytest.approx(0.2 - 0.5)
    assert by_label[0].difference.low < -0.3 < by_label[0].difference.high
    assert by_label[0].p < 0.01
    assert independence is not None
    assert independence.p < 0.01


def test_a_chance_is_adjusted_for_the_number_of_clusters() -> None:
    labels = np.repeat(np.arange(10), 20)
    other = np.concatenate([np.repeat(np.arange(10), 10), np.zeros(15, np.int64)])
    alone, _ = compare_shares((labels == 0).astype(np.int64), (other == 0).astype(np.int64), rng())
    among, _ = compare_shares(labels, other, rng())
    assert next(s.p for s in among if s.label == 0) > next(s.p for s in alone if s.label == 1)


# -- the whole


def arrays(first: Points, second: Points, **labels: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    return {"first": first, "second": second, **labels}


def test_the_direction_leads_from_the_first_set_to_the_second() -> None:
    first, second = cloud(40), cloud(30, shift=2, seed=1)
    out, figures = analyse(arrays(first, second), {"k": 4, "seed": 0}, silent)
    assert np.linalg.norm(out["direction"]) == pytest.approx(1)
    assert int(np.abs(out["direction"]).argmax()) == 0
    assert out["second_along"].mean() > out["first_along"].mean()
    assert sum(share["first"] for share in figures["clusters"]) == 40
    assert len(figures["clusters"]) == 4


def test_the_same_seed_gives_the_same_report() -> None:
    both = arrays(cloud(40), cloud(30, seed=1))
    reports = [analyse(both, {"k": 3, "seed": 5}, silent)[1] for _ in range(2)]
    assert reports[0] == reports[1]


def test_labels_that_are_given_are_used() -> None:
    labels = {"first_labels": np.arange(40) % 2, "second_labels": np.zeros(30, np.int64)}
    out, figures = analyse(arrays(cloud(40), cloud(30), **labels), {"k": 9, "seed": 0}, silent)
    assert {share["label"]: share["first"] for share in figures["clusters"]} == {0: 20, 1: 20}
    assert out["second_labels"].tolist() == [0] * 30


def test_sets_of_one_and_the_same_vector_are_refused() -> None:
    same = np.tile(cloud(1), (25, 1))
    with pytest.raises(InvalidParameters, match="same vector"):
        analyse(arrays(same, same), {"k": 2, "seed": 0}, silent)


def test_a_set_of_copies_of_one_picture_is_compared() -> None:
    copies = np.tile(cloud(1, seed=3), (25, 1))
    _, figures = analyse(arrays(cloud(40), copies), {"k": 5, "seed": 0}, silent)
    assert figures["mmd"]["value"] > 0
    assert figures["recall"]["value"] == 0
