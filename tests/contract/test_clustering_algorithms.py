"""What every clustering algorithm must do, whichever it is."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
from sklearn.cluster import DBSCAN, OPTICS, AgglomerativeClustering, KMeans
from sklearn.mixture import GaussianMixture

from lookalike_service.analysis.clustering import lloyd
from lookalike_service.analysis.clustering.algorithms import (
    cluster,
    find_algorithm,
    resolve_parameters,
)
from lookalike_service.analysis.clustering.assign import assigner_arrays, load_assigner
from lookalike_service.analysis.clustering.catalog import ALGORITHMS, Algorithm
from lookalike_service.analysis.clustering.fit import Fit
from lookalike_service.analysis.parameters import Parameter
from lookalike_service.errors import InvalidParameters
from tests.clouds import Points, blobs, same_partition, unit

TWO: dict[str, dict[str, Any]] = {
    "agglomerative": {"k": 2},
    "dbscan": {"eps": 0.4},
    "gaussian_mixture": {"k": 2},
    "hdbscan": {},
    "kmeans": {"k": 2},
    "kmedoids": {"k": 2},
    "leiden": {"resolution": 0.2},
    "minibatch_kmeans": {"k": 2},
    "optics": {"min_samples": 8, "min_cluster_size": 15, "xi": 0.2},
    "spectral": {"k": 2},
    "spherical_kmeans": {"k": 2},
}
"""Parameters that find two blobs; an algorithm without a row here fails."""
ONE: dict[str, dict[str, Any]] = {
    name: {"k": 1} if "k" in parameters else {} for name, parameters in TWO.items()
} | {
    "dbscan": {"min_samples": 2},
    "hdbscan": {"min_cluster_size": 2},
    "optics": {"min_cluster_size": 2, "min_samples": 2},
}
"""Parameters that let a single cluster of two points be."""
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
    parameters = TWO[algorithm] | ({"k": 3} if "k" in TWO[algorithm] else {})
    order = np.random.default_rng(seed).permutation(len(cloud.points))
    straight = cluster(cloud.points, algorithm, parameters)
    permuted = cluster(cloud.points[order], algorithm, parameters)
    assert same_partition(straight.labels[order], permuted.labels)


def test_the_same_seed_gives_the_same_labels(algorithm: str) -> None:
    points = unit(np.random.default_rng(3).normal(size=(120, 6)))
    several = {"k": 9} if "k" in TWO[algorithm] else {}
    once = {"n_init": 1} if "kmeans" in algorithm else {}
    parameters = TWO[algorithm] | several | once
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
    parameters = TWO[algorithm] | ({"k": 7} if "k" in TWO[algorithm] else {})
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
    if parameter.type is float:
        wrong.append(10**400)  # no float is so large
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


@pytest.mark.parametrize("name", [name for name, a in ALGORITHMS.items() if a.most_points])
def test_of_too_many_points_a_sample_is_clustered_and_the_rest_assigned(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fewer = replace(ALGORITHMS[name], most_points=60)
    monkeypatch.setitem(cast("dict[str, Algorithm]", ALGORITHMS), name, fewer)
    cloud = blobs(60, 90, width=0.02)
    fit = cluster(
        cloud.points, name, TWO[name] | ({"min_cluster_size": 10} if name == "optics" else {})
    )
    check(fit, cloud.points)
    assert fit.figures["fitted_points"] == 60
    clustered = fit.labels >= 0
    assert clustered.mean() > 0.8
    assert same_partition(cloud.truth[clustered], fit.labels[clustered])
    np.testing.assert_array_equal(
        fit.assigner.assign(cloud.points)[clustered], fit.labels[clustered]
    )


@pytest.mark.parametrize("name", [n for n in TWO if "k" in TWO[n]])
def test_more_clusters_than_points_that_differ_are_refused(name: str) -> None:
    points = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)
    with pytest.raises(InvalidParameters, match="only 3 of the 12 points differ"):
        cluster(points, name, {"k": 4})


def test_confidence_is_high_inside_and_low_between(algorithm: str) -> None:
    cloud = blobs(40, 25, width=0.02)
    fit = cluster(cloud.points, algorithm, TWO[algorithm])
    labels, inside = fit.assigner.place(cloud.points)
    assert ((inside >= 0) & (inside <= 1)).all()
    assert inside[labels >= 0].min() > 0.8
    centres = np.stack([cloud.points[cloud.truth == blob].mean(axis=0) for blob in (0, 1)])
    _, between = fit.assigner.place(unit(centres.sum(axis=0, keepdims=True)))
    if (
        ALGORITHMS[algorithm].assigner != "most_likely"
    ):  # whose narrow clusters are sure of most places
        assert between[0] < 0.2


def test_dbscan_reads_its_eps_off_the_knee() -> None:
    cloud = blobs(60, 60, width=0.02)
    lone = np.eye(8, dtype=np.float32)[4:]
    fit = cluster(np.concatenate([cloud.points, lone]), "dbscan", {})
    assert 0.01 < fit.figures["eps"] < 0.5, "between the spread of a blob and the way to the next"
    assert fit.labels.max() == 1
    assert fit.labels[-4:].tolist() == [-1] * 4


@pytest.mark.parametrize("k", [1, 5, 30])
@pytest.mark.parametrize("seed", range(2))
def test_kmeans_is_as_good_as_scikit_learns(k: int, seed: int) -> None:
    points = unit(np.random.default_rng(seed).normal(size=(1500, 12)))
    ours = cluster(points, "kmeans", {"k": k, "n_init": 4}, seed=seed).figures["inertia"]
    theirs = KMeans(k, n_init=4, random_state=seed).fit(points).inertia_
    assert ours <= theirs * 1.01


def test_kmeans_from_a_sample_is_as_good_as_from_all(monkeypatch: pytest.MonkeyPatch) -> None:
    points = unit(np.random.default_rng(0).normal(size=(4000, 8)))
    whole = cluster(points, "kmeans", {"k": 6}).figures["inertia"]
    monkeypatch.setattr(lloyd, "_SAMPLE", 800)
    sampled = cluster(points, "kmeans", {"k": 6}).figures["inertia"]
    assert sampled != whole
    assert sampled == pytest.approx(whole, rel=0.005)


def test_kmeans_far_from_the_origin_finds_what_it_finds_near() -> None:
    cloud = blobs(40, 30, 20)
    fit = cluster(cloud.points + np.float32(1000), "kmeans", {"k": 3})
    assert same_partition(cloud.truth, fit.labels)


def test_spherical_kmeans_sees_directions_alone() -> None:
    cloud = blobs(40, 30)
    lengths = np.random.default_rng(0).uniform(0.1, 50, (70, 1)).astype(np.float32)
    fit = cluster(cloud.points * lengths, "spherical_kmeans", {"k": 2})
    assert same_partition(cloud.truth, fit.labels)
    with pytest.raises(InvalidParameters, match="row 0 of the points is zero"):
        cluster(
            np.eye(4, dtype=np.float32) - np.eye(1, 4, dtype=np.float32),
            "spherical_kmeans",
            {"k": 2},
        )


def test_no_single_swap_of_a_medoid_lowers_the_sum_of_distances() -> None:
    points = unit(np.random.default_rng(2).normal(size=(40, 3)))
    fit = cluster(points, "kmedoids", {"k": 3})
    medoids = [int(np.flatnonzero((points == c).all(axis=1))[0]) for c in fit_centres(fit)]
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    assert fit.figures["deviation"] == pytest.approx(
        distances[:, medoids].min(axis=1).sum(), rel=1e-5
    )
    for place in range(3):
        for other in range(40):
            swapped = [*medoids[:place], other, *medoids[place + 1 :]]
            assert distances[:, swapped].min(axis=1).sum() >= fit.figures["deviation"] * (1 - 1e-5)


def fit_centres(fit: Fit) -> Points:
    return np.asarray(assigner_arrays(fit.assigner)["centres"])


@pytest.mark.parametrize("covariance", ["spherical", "diag", "full"])
def test_a_mixture_assigns_as_scikit_learns_with_its_confidence(covariance: str) -> None:
    cloud = blobs(80, 60, 40, dim=4, width=0.4)
    fit = cluster(cloud.points, "gaussian_mixture", {"k": 3, "covariance": covariance}, seed=1)
    model = GaussianMixture(3, covariance_type=covariance, random_state=1, max_iter=300)
    model.fit(cloud.points.astype(np.float64))
    labels, confidence = fit.assigner.place(cloud.points)
    assert same_partition(labels, model.predict(cloud.points))
    expected = model.predict_proba(cloud.points.astype(np.float64)).max(axis=1)
    np.testing.assert_allclose(confidence, expected, atol=1e-6)


@pytest.mark.parametrize(("name", "model"), [
    ("agglomerative", AgglomerativeClustering(4)),
    ("dbscan", DBSCAN(eps=0.3, min_samples=5)),
    ("optics", OPTICS(min_samples=5, min_cluster_size=5)),
])  # fmt: skip
def test_labels_are_scikit_learns(name: str, model: Any) -> None:
    cloud = blobs(40, 30, 20, 15, width=0.1)
    given: dict[str, dict[str, Any]] = {"agglomerative": {"k": 4}, "dbscan": {"eps": 0.3}}
    labels = cluster(cloud.points, name, given.get(name, {})).labels
    assert same_partition(labels, model.fit_predict(cloud.points))


def test_leiden_finds_more_communities_at_higher_resolution() -> None:
    points = unit(np.random.default_rng(0).normal(size=(400, 3)))
    counts = [
        cluster(points, "leiden", {"resolution": r}).labels.max() + 1 for r in (0.1, 1.0, 10.0)
    ]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1]


@pytest.mark.parametrize("count", [2, 3, 4, 6])
def test_few_points_are_clustered_or_refused_clearly(algorithm: str, count: int) -> None:
    points = np.eye(6, dtype=np.float32)[:count]
    few = {"k": 2} if "k" in TWO[algorithm] else {}
    try:
        check(cluster(points, algorithm, few), points)
    except InvalidParameters as error:
        assert "allowed here" in error.detail  # noqa: PT017 (either is right)
