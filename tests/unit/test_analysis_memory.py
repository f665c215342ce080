"""Clusterings that would take more memory than there is are refused, and told what takes less."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lookalike_service.analysis.clustering import dbscan
from lookalike_service.analysis.clustering.algorithms import check_fits, cluster, resolve_parameters
from lookalike_service.analysis.reduction import known_dim
from lookalike_service.errors import InvalidParameters
from tests.clouds import blobs

POINTS = 100_000


def check(name: str, dim: int | None = 1280, points: int = POINTS, **given: Any) -> None:
    parameters = resolve_parameters(name, given, points=points)
    check_fits(name, parameters, points=points, dim=dim)


@pytest.mark.parametrize(
    ("name", "given", "says"),
    [
        (
            "gaussian_mixture",
            {"k": 300, "covariance": "full"},
            "k up to 10, fewer dimensions by a ",
        ),
        ("gaussian_mixture", {"k": 1, "covariance": "full", "dim": 5000}, "Allowed: fewer dim"),
        ("gaussian_mixture", {"k": 5000}, "100000 points have memory for 671"),
        ("hdbscan", {"min_samples": 5000}, "min_samples up to that"),
        ("hdbscan", {"min_cluster_size": 5000}, "min_samples is 5000"),
        ("dbscan", {"min_samples": 20_000}, "20000 points have memory for 3355"),
    ],
)
def test_what_takes_too_much_memory_is_refused_with_what_takes_less(
    name: str, given: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidParameters, match=says):
        check(name, **given)


def test_what_memory_is_there_for_passes() -> None:
    check("gaussian_mixture", k=300, covariance="full", dim=50)
    check("gaussian_mixture", k=10, covariance="full")
    check("gaussian_mixture", k=300, covariance="full", dim=None)
    check("hdbscan", min_cluster_size=5000, min_samples=10)
    check("dbscan", min_samples=20_000, eps=0.5)


def test_a_mixture_whose_reduction_left_too_many_dimensions_is_refused_when_it_is_fitted() -> None:
    points = np.zeros((20, 3000), dtype=np.float32)
    points[:, :20] = np.eye(20)
    with pytest.raises(InvalidParameters, match="2 full covariances of 3000 dimensions"):
        cluster(points, "gaussian_mixture", {"k": 2, "covariance": "full"})


@pytest.mark.parametrize("name", ["kmeans", "gaussian_mixture", "spectral"])
def test_no_collection_is_so_large_that_k_may_be_anything(name: str) -> None:
    with pytest.raises(InvalidParameters, match=r"a whole number from 1 to 10?000"):
        resolve_parameters(name, {"k": 10_001}, points=10**6)


def test_dbscan_refuses_a_reach_within_which_are_nearly_all_points(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    points = blobs(60, 40).points
    monkeypatch.setattr(dbscan, "_MOST_PAIRS", 6_000)
    assert cluster(points, "dbscan", {"eps": 0.4}).labels.max() == 1
    with pytest.raises(InvalidParameters, match="within eps 3 of a point are about 100 of the 100"):
        cluster(points, "dbscan", {"eps": 3})


def test_dimensions_are_known_before_where_a_reduction_counts_them() -> None:
    assert known_dim(None, 1280) == 1280
    assert known_dim("pca:50", 1280) == 50
    assert known_dim("pca:0.95", 1280) is None
