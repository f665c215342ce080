"""What every clustering algorithm must do, whichever it is."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from lookalike_service.analysis.clustering.algorithms import (
    ALGORITHMS,
    cluster,
    find_algorithm,
    resolve_parameters,
)
from lookalike_service.analysis.clustering.assign import assigner_arrays, load_assigner
from lookalike_service.analysis.clustering.fit import Fit
from lookalike_service.analysis.parameters import Parameter
from lookalike_service.errors import InvalidParameters
from tests.clouds import Points, blobs, same_partition, unit

TWO: dict[str, dict[str, Any]] = {"kmeans": {"k": 2}, "hdbscan": {}}
"""Parameters that find two blobs; an algorithm without a row here fails."""
ONE: dict[str, dict[str, Any]] = {
    "kmeans": {"k": 1},
    "hdbscan": {"min_cluster_size": 2},
}
CASES = [(name, p) for name, a in ALGORITHMS.items() for p in a.parameters]
IDS = [f"{name}-{p.name}" for name, p in CASES]


@pytest.fixture(params=ALGORITHMS)
def algorithm(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def check(fit: Fit, points: Points) -> None:
    """What holds for every fit."""
    labels = fit.labels
    assert labels.dtype == np.int64
    assert labels.shape == (len(points),)
    sizes = np.bincount(labels[labels >= 0])
    assert labels.min() >= -1
    assert (sizes > 0).all(), "labels have no gaps"
    assert (np.diff(sizes) <= 0).all(), "the largest cluster comes first"
    assert np.isfinite(list(fit.figures.values())).all()


def test_two_far_blobs_are_found(algorithm: str) -> None:
    cloud = blobs(25, 40)
    fit = cluster(cloud.points, algorithm, TWO[algorithm])
    check(fit, cloud.points)
    clustered = fit.labels >= 0
    assert clustered.mean() > 0.9
    assert same_partition(cloud.truth[clustered], fit.labels[clustered])
    assert fit.labels.max() == 1


def test_equal_sizes_are_numbered_by_their_first_row(algorithm: str) -> None:
    cloud = blobs(30, 30, width=0.01)
    fit = cluster(cloud.points, algorithm, TWO[algorithm])
    sizes = np.bincount(fit.labels[fit.labels >= 0])
    if sizes[0] == sizes[1]:
        assert np.argmax(fit.labels == 0) < np.argmax(fit.labels == 1)
    else:
        assert sizes[0] > sizes[1]


@pytest.mark.parametrize("seed", range(3))
def test_permuted_rows_have_permuted_labels(algorithm: str, seed: int) -> None:
    cloud = blobs(40, 25, 12, width=0.08)
    parameters = TWO[algorithm] | ({"k": 3} if algorithm == "kmeans" else {})
    order = np.random.default_rng(seed).permutation(len(cloud.points))
    straight = cluster(cloud.points, algorithm, parameters)
    permuted = cluster(cloud.points[order], algorithm, parameters)
    assert same_partition(straight.labels[order], permuted.labels)


def test_the_same_seed_gives_the_same_labels(algorithm: str) -> None:
    points = unit(np.random.default_rng(3).normal(size=(120, 6)))
    parameters = TWO[algorithm] | ({"k": 9, "n_init": 1} if algorithm == "kmeans" else {})
    first, second = (cluster(points, algorithm, parameters, seed=7) for _ in range(2))
    np.testing.assert_array_equal(first.labels, second.labels)
    assert first.figures == second.figures
    for name, array in assigner_arrays(first.assigner).items():
        np.testing.assert_array_equal(array, assigner_arrays(second.assigner)[name])


def test_the_points_are_left_as_they_were(algorithm: str) -> None:
    cloud = blobs(20, 20)
    before = cloud.points.copy()
    read_only = cloud.points
    read_only.flags.writeable = False  # as the memory-mapped file of a job is
    cluster(read_only, algorithm, TWO[algorithm])
    np.testing.assert_array_equal(cloud.points, before)


@pytest.mark.parametrize("count", [2, 3, 30])
def test_equal_points_are_one_cluster(algorithm: str, count: int) -> None:
    points = np.repeat(unit(np.ones((1, 5))), count, axis=0)
    fit = cluster(points, algorithm, ONE[algorithm])
    check(fit, points)
    np.testing.assert_array_equal(fit.labels, np.zeros(count))
    np.testing.assert_array_equal(fit.assigner.assign(points), fit.labels)


def test_one_point_is_a_cluster_or_a_clear_error(algorithm: str) -> None:
    point = unit(np.ones((1, 5)))
    try:
        fit = cluster(point, algorithm, ONE[algorithm])
    except InvalidParameters as error:
        assert "only 1 points; allowed" in error.detail  # noqa: PT017 (either is right)
    else:
        assert fit.labels.tolist() == [0]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_point_that_is_no_number_is_named(algorithm: str, bad: float) -> None:
    points = blobs(20, 20).points
    points[13, 2] = bad
    with pytest.raises(InvalidParameters, match="row 13"):
        cluster(points, algorithm, TWO[algorithm])


@pytest.mark.parametrize("shape", [(0, 4), (4, 0), (4,), (2, 2, 2)])
def test_what_is_no_table_of_points_is_refused(algorithm: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidParameters, match="shape"):
        cluster(np.zeros(shape, np.float32), algorithm, {})


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_outside_the_generators_range_is_refused(algorithm: str, seed: int) -> None:
    with pytest.raises(InvalidParameters, match="allowed: a whole number from 0"):
        cluster(blobs(20, 20).points, algorithm, TWO[algorithm], seed=seed)


# -- new points


def test_training_points_are_assigned_as_they_were_clustered(algorithm: str) -> None:
    points = unit(
        np.random.default_rng(5).normal(size=(300, 6)) + np.eye(6)[np.arange(300) % 6] * 3
    )
    parameters = TWO[algorithm] | ({"k": 7} if algorithm == "kmeans" else {})
    fit = cluster(points, algorithm, parameters)
    assigned = fit.assigner.assign(points)
    clustered = fit.labels >= 0
    assert clustered.sum() > 30
    np.testing.assert_array_equal(assigned[clustered], fit.labels[clustered])


def test_a_point_beside_a_blob_joins_it(algorithm: str) -> None:
    cloud = blobs(40, 25)
    fit = cluster(cloud.points, algorithm, TWO[algorithm])
    row = int(np.argmax(fit.labels == 1))
    near = unit(cloud.points[row : row + 1] + np.float32(0.002))
    assert fit.assigner.assign(near).tolist() == [1]


def test_each_point_is_assigned_on_its_own(algorithm: str) -> None:
    fit = cluster(blobs(40, 25).points, algorithm, TWO[algorithm])
    others = unit(np.random.default_rng(1).normal(size=(50, 8)))
    together = fit.assigner.assign(others)
    alone = [int(fit.assigner.assign(others[i : i + 1])[0]) for i in range(len(others))]
    assert together.tolist() == alone
    assert together.dtype == np.int64


def test_an_assigner_survives_as_arrays_in_a_file(algorithm: str) -> None:
    cloud = blobs(40, 25)
    fit = cluster(cloud.points, algorithm, TWO[algorithm])
    file = io.BytesIO()
    arrays: dict[str, Any] = {"ids": np.array(["a"]), **assigner_arrays(fit.assigner)}
    np.savez(file, **arrays)
    file.seek(0)
    with np.load(file, allow_pickle=False) as stored:
        loaded = load_assigner(find_algorithm(algorithm).assigner, stored)
    np.testing.assert_array_equal(loaded.assign(cloud.points), fit.assigner.assign(cloud.points))


# -- parameters


def refused(algorithm: str, parameters: dict[str, Any], points: int = 20) -> str:
    with pytest.raises(InvalidParameters) as caught:
        resolve_parameters(algorithm, parameters, points=points)
    return caught.value.detail


def test_an_unknown_algorithm_is_answered_with_those_there_are() -> None:
    with pytest.raises(InvalidParameters, match=f"allowed: {', '.join(ALGORITHMS)}"):
        cluster(blobs(20, 20).points, "k-means", {})


def test_an_unknown_parameter_is_answered_with_those_there_are(algorithm: str) -> None:
    detail = refused(algorithm, {"clusters": 3})
    assert "no parameter clusters" in detail
    assert all(p.name in detail for p in ALGORITHMS[algorithm].parameters)


@pytest.mark.parametrize(("algorithm", "parameter"), CASES, ids=IDS)
def test_a_value_outside_its_range_is_answered_with_the_range(
    algorithm: str, parameter: Parameter
) -> None:
    wrong: list[object] = [True, [1], {"a": 1}, float("nan"), float("inf")]
    if parameter.choices:
        wrong += ["no such choice", 1]
    else:
        wrong += ["3"]
    if parameter.minimum is not None:
        wrong.append(parameter.type(parameter.minimum - 1))
    if parameter.maximum is not None:
        wrong.append(parameter.type(parameter.maximum + 1))
    if parameter.type is int:
        wrong.append(2.5)
    if parameter.default is not None:
        wrong.append(None)
    for value in wrong:
        detail = refused(algorithm, {parameter.name: value})
        assert parameter.name in detail
        assert parameter.allowed() in detail


@pytest.mark.parametrize(("algorithm", "parameter"), [(n, p) for n, p in CASES if p.at_most_points])
def test_more_than_there_are_points_is_refused_with_what_is_possible(
    algorithm: str, parameter: Parameter
) -> None:
    detail = refused(algorithm, {parameter.name: 21})
    assert "only 20 points" in detail
    assert "to 20" in detail


def test_the_defaults_are_possible(algorithm: str) -> None:
    resolved = resolve_parameters(algorithm, {}, points=20)
    assert set(resolved) == {p.name for p in ALGORITHMS[algorithm].parameters}
    assert resolve_parameters(algorithm, resolved, points=20) == resolved


# -- what is particular


def test_kmeans_refuses_more_clusters_than_points_that_differ() -> None:
    points = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)
    with pytest.raises(
        InvalidParameters, match="only 3 of the 12 points differ; allowed here: 1 to 3"
    ):
        cluster(points, "kmeans", {"k": 4})


def test_kmeans_inertia_is_the_sum_of_squared_distances_to_the_centres() -> None:
    cloud = blobs(30, 20, 10)
    fit = cluster(cloud.points, "kmeans", {"k": 3})
    centres = assigner_arrays(fit.assigner)["centres"]
    for label in range(3):
        members = cloud.points[fit.labels == label]
        np.testing.assert_allclose(centres[label], members.mean(axis=0), atol=1e-6)
    expected = ((cloud.points - centres[fit.labels]) ** 2).sum()
    assert fit.figures["inertia"] == pytest.approx(expected, rel=1e-5)


def test_hdbscan_leaves_lone_points_as_noise_and_assigns_far_ones_to_it() -> None:
    cloud = blobs(30, 30, width=0.01)
    lone = np.eye(8, dtype=np.float32)[5:]
    fit = cluster(np.concatenate([cloud.points, lone]), "hdbscan", {})
    assert fit.labels[-3:].tolist() == [-1, -1, -1]
    assert fit.assigner.assign(lone).tolist() == [-1, -1, -1]


def test_hdbscan_of_noise_alone_has_no_clusters() -> None:
    points = unit(np.random.default_rng(0).normal(size=(30, 16)))
    fit = cluster(points, "hdbscan", {"min_cluster_size": 15, "min_samples": 15})
    assert fit.labels.tolist() == [-1] * 30
    assert fit.assigner.assign(points).tolist() == [-1] * 30
