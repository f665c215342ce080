"""Diagnostics of clusterings and projections: scikit-learn's figures, golden values, their limits."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics
from sklearn.manifold import trustworthiness

from lookalike_service.analysis import diagnostics
from lookalike_service.analysis.diagnostics import describe_clusters, measure_clustering
from lookalike_service.analysis.projection import quality
from lookalike_service.analysis.projection.analyse import measure_projection
from tests.clouds import blobs, unit


def test_the_figures_are_scikit_learns_over_the_clustered_points() -> None:
    points = unit(np.random.default_rng(0).normal(size=(200, 12)))
    labels = np.random.default_rng(1).integers(-1, 4, 200)
    figures = measure_clustering(points, labels)
    inside, truth = points[labels >= 0].astype(np.float64), labels[labels >= 0]
    assert figures["silhouette_points"] == len(inside)
    for name in ("silhouette", "calinski_harabasz", "davies_bouldin"):
        expected = getattr(metrics, f"{name}_score")(inside, truth)
        assert figures[name] == pytest.approx(expected, rel=1e-6, abs=1e-6), name


def test_the_silhouette_of_two_pairs_is_as_by_hand() -> None:
    points = np.array([[0, 0], [0, 1], [0, 10], [0, 11]], np.float32)
    figures = measure_clustering(points, np.array([0, 0, 1, 1]))
    outer, inner = 1 - 1 / 10.5, 1 - 1 / 9.5
    assert figures["silhouette"] == pytest.approx((outer + inner) / 2, abs=1e-6)


def test_beyond_its_limit_the_silhouette_is_sampled_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cloud = blobs(300, 200, width=0.2)
    exact = measure_clustering(cloud.points, cloud.truth)
    monkeypatch.setattr(diagnostics, "SILHOUETTE_POINTS", 150)
    sampled = measure_clustering(cloud.points, cloud.truth, seed=1)
    assert (exact["silhouette_points"], sampled["silhouette_points"]) == (500, 150)
    assert sampled["silhouette"] == pytest.approx(exact["silhouette"], abs=0.05)
    assert sampled["silhouette"] != exact["silhouette"]
    assert exact["silhouette_low"] == exact["silhouette"] == exact["silhouette_high"]
    low, mean, high = (
        sampled[name] or 0 for name in ("silhouette_low", "silhouette", "silhouette_high")
    )
    assert low < mean < high
    assert sampled == measure_clustering(cloud.points, cloud.truth, seed=1)
    assert sampled["davies_bouldin"] == exact["davies_bouldin"], "only the silhouette is sampled"


@pytest.mark.parametrize(
    "labels", [[0] * 6, [-1] * 6, [0, 1, 2, 3, 4, 5], [0, 0, 0, -1, -1, -1]],
    ids=["one cluster", "all noise", "all alone", "one and noise"],
)  # fmt: skip
def test_what_is_undefined_is_none(labels: list[int]) -> None:
    points = blobs(3, 3).points
    figures = measure_clustering(points, np.array(labels))
    assert figures.pop("within") is None or 0 in labels  # defined wherever there is a cluster
    assert set(figures.values()) == {None}


def test_medoid_and_spread_are_as_by_brute_force() -> None:
    cloud = blobs(20, 15, 10, width=0.2)
    labels = np.where(np.arange(45) % 7 == 0, -1, cloud.truth)
    found = list(describe_clusters(cloud.points, labels))
    assert [cluster.label for cluster in found] == [0, 1, 2]
    for cluster in found:
        rows = np.flatnonzero(labels == cluster.label)
        centre = unit(cloud.points[rows].mean(axis=0, keepdims=True))[0]
        distances = 1 - cloud.points[rows] @ centre
        assert cluster.size == len(rows)
        assert cluster.medoid == rows[distances.argmin()]
        assert cluster.spread == pytest.approx(float(distances.mean()), abs=1e-6)
        order = rows[np.argsort(distances, kind="stable")].tolist()
        assert cluster.exemplars == order[:6]
        assert cluster.outliers == order[6:][::-1][:6]
        others = [
            unit(cloud.points[labels == other].mean(axis=0, keepdims=True))[0]
            for other in range(3)
            if other != cluster.label
        ]
        assert cluster.separation == pytest.approx(
            min(1 - float(centre @ other) for other in others), abs=1e-5
        )


def test_opposite_members_have_no_centre_and_the_spread_of_right_angles() -> None:
    points = np.array([[1, 0], [-1, 0]], np.float32)
    (cluster,) = describe_clusters(points, np.array([0, 0]))
    assert (cluster.size, cluster.spread, cluster.separation) == (2, 1.0, None)


def test_trustworthiness_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    points, drawn = unit(rng.normal(size=(80, 6))), rng.normal(size=(80, 2)).astype(np.float32)
    figures = measure_projection(points, drawn)
    expected = trustworthiness(points, drawn, n_neighbors=15)
    assert figures["trustworthiness"] == pytest.approx(expected, abs=1e-6)
    assert figures["trustworthiness_points"] == 80
    backwards = trustworthiness(drawn, points, n_neighbors=15)
    assert figures["continuity"] == pytest.approx(backwards, abs=1e-6)


def test_beyond_its_limit_the_trustworthiness_is_sampled_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    points = unit(np.random.default_rng(0).normal(size=(400, 3)))
    monkeypatch.setattr(quality, "MEASURED_POINTS", 100)
    figures = measure_projection(points, points)
    assert figures == {
        "trustworthiness": 1.0,
        "continuity": 1.0,
        "neighbours_kept": 1.0,
        "trustworthiness_points": 100,
    }


@pytest.mark.parametrize("count", [1, 2])
def test_two_points_have_no_neighbourhoods_to_trust(count: int) -> None:
    points = blobs(1, 1).points[:count]
    assert measure_projection(points, points[:, :2])["trustworthiness"] is None


def test_equal_points_have_no_neighbourhoods_to_trust() -> None:
    points = np.ones((20, 4), np.float32)
    assert measure_projection(points, points[:, :2])["trustworthiness"] is None
