"""Numbering, whole clusterings with and without a reduction."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lookalike_service.analysis import diagnostics
from lookalike_service.analysis.clustering import sampling
from lookalike_service.analysis.clustering.algorithms import find_algorithm
from lookalike_service.analysis.clustering.analyse import analyse
from lookalike_service.analysis.clustering.assign import keep_members, load_assigner
from lookalike_service.analysis.clustering.fit import number_by_size
from lookalike_service.analysis.diagnostics import describe_clusters
from lookalike_service.analysis.reduction import Linear, load_reduction
from lookalike_service.errors import InvalidParameters
from tests.clouds import blobs, same_partition


@given(hnp.arrays(np.int64, st.integers(1, 40), elements=st.integers(-1, 6)))
def test_numbering_keeps_the_groups_and_orders_them_by_size(labels: Any) -> None:
    numbered, old = number_by_size(labels)
    assert same_partition(labels, numbered)
    sizes = np.bincount(numbered[numbered >= 0])
    assert (np.diff(sizes) <= 0).all()
    for new, former in enumerate(old):
        np.testing.assert_array_equal(numbered == new, labels == former)
    firsts = [int(np.argmax(numbered == new)) for new in range(len(old))]
    ties = [(a, b) for a, b in zip(range(len(old)), range(1, len(old)), strict=False)]
    assert all(firsts[a] < firsts[b] for a, b in ties if sizes[a] == sizes[b])


PLAIN: dict[str, Any] = {
    "algorithm": "kmeans",
    "parameters": {},
    "reduction": None,
    "criterion": "silhouette",
    "stability": 0,
    "seed": 0,
}


def whole(algorithm: str, points: Any, **changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    parameters = PLAIN | {"algorithm": algorithm, **changes}
    seen: list[str] = []
    out = analyse({"vectors": points}, parameters, lambda stage, *_: seen.append(stage))
    assert seen[-2:] == ["clustering", "measuring"]
    assert ("reducing" in seen) == (changes.get("reduction") is not None)
    return out


def test_a_whole_clustering_has_labels_clusters_and_figures() -> None:
    cloud = blobs(30, 20)
    arrays, figures = whole("kmeans", cloud.points, parameters={"k": 2})
    assert {"labels", "centres"} <= set(arrays)
    assert [cluster["size"] for cluster in figures["clusters"]] == [30, 20]
    for cluster in figures["clusters"]:
        assert arrays["labels"][cluster["medoid"]] == cluster["label"]
    assert figures["diagnostics"]["silhouette"] > 0.8
    assert figures["diagnostics"]["inertia"] > 0


def test_with_a_reduction_the_arrays_place_new_points_too() -> None:
    cloud = blobs(30, 20, 10, dim=40)
    arrays, figures = whole("kmeans", cloud.points, parameters={"k": 3}, reduction="pca:0.9")
    assert same_partition(cloud.truth, arrays["labels"])
    assert figures["diagnostics"]["components"] == len(arrays["components"])
    assert 0.9 <= figures["diagnostics"]["explained_variance"] <= 1
    reduced = Linear(arrays["mean"], arrays["components"]).apply(cloud.points)
    assigned = load_assigner("nearest_centre", arrays).assign(reduced)
    np.testing.assert_array_equal(assigned, arrays["labels"])


@pytest.mark.parametrize("reduction", ["pca:9", "umap:9", "ica:5"])
def test_an_impossible_reduction_is_refused(reduction: str) -> None:
    with pytest.raises(InvalidParameters):
        analyse(
            {"vectors": blobs(30, 20).points},
            PLAIN | {"reduction": reduction},
            lambda *_: None,
        )


def test_of_many_members_a_random_part_is_kept_and_still_labels_the_rest() -> None:
    cloud = blobs(5000, 3000, width=0.02)
    kept = keep_members(cloud.points, cloud.truth, seed=0)
    assert len(kept.members) == 4096
    assert np.mean(kept.assign(cloud.points[:2000]) == cloud.truth[:2000]) > 0.9


@pytest.mark.parametrize("reduction", [None, "pca:3"])
@pytest.mark.parametrize("algorithm", ["kmeans", "hdbscan", "gaussian_mixture"])
def test_of_more_points_than_memory_should_hold_a_sample_is_clustered_and_the_others_assigned(
    monkeypatch: pytest.MonkeyPatch, algorithm: str, reduction: str | None
) -> None:
    cloud = blobs(300, 200, 100)
    monkeypatch.setattr(sampling, "MOST_NUMBERS", 150 * 8)
    monkeypatch.setattr(sampling, "_ROWS_AT_ONCE", 64)
    parameters = PLAIN | {
        "algorithm": algorithm,
        "parameters": {} if algorithm == "hdbscan" else {"k": 3},
        "reduction": reduction,
        "stability": 2,
    }
    seen: list[tuple[str, int, int | None]] = []
    arrays, figures = analyse(
        {"vectors": cloud.points}, parameters, lambda *call: seen.append(call)
    )
    assert figures["diagnostics"]["fitted_points"] == 150
    clustered = arrays["labels"] >= 0
    assert clustered.mean() > 0.95
    assert same_partition(cloud.truth[clustered], arrays["labels"][clustered])
    assert [found["size"] for found in figures["clusters"]] == np.bincount(
        arrays["labels"][clustered]
    ).tolist()
    assert all(0 <= found["stability"] <= 1 for found in figures["clusters"])
    assert ("assigning the others", 64, 600) in seen
    # New points come to the clusters that the labels name.
    assigner = load_assigner(find_algorithm(algorithm).assigner, arrays)
    points = cloud.points
    if reduction is not None:
        points = load_reduction(reduction, arrays).apply(points)
    np.testing.assert_array_equal(assigner.assign(points)[clustered], arrays["labels"][clustered])


def test_clusters_are_described_alike_however_few_points_are_read_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cloud = blobs(30, 20, 10)
    labels = np.where(np.arange(60) % 7 == 0, -1, cloud.truth)
    whole = list(describe_clusters(cloud.points, labels))
    monkeypatch.setattr(diagnostics, "_ROWS_AT_ONCE", 7)
    for one, other in zip(whole, describe_clusters(cloud.points, labels), strict=True):
        assert (one.medoid, one.exemplars, one.outliers) == (
            other.medoid,
            other.exemplars,
            other.outliers,
        )
        assert one.spread == pytest.approx(other.spread)
