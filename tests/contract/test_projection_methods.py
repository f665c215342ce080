"""What every projection method must do, whichever it is."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_score

from lookalike_service.analysis.neighbour_graph import nearest_neighbours
from lookalike_service.analysis.parameters import Parameter
from lookalike_service.analysis.projection import methods
from lookalike_service.analysis.projection.alignment import align, moved
from lookalike_service.analysis.projection.fuzzy_graph import fuzzy_graph, nearer_of_a_kind
from lookalike_service.analysis.projection.layout import Layout
from lookalike_service.analysis.projection.methods import METHODS, find_method
from lookalike_service.analysis.projection.placing import Placer, anchor_arrays, load_placer
from lookalike_service.errors import InvalidParameters
from tests.clouds import Points, blobs, unit

CASES = [(name, p) for name, m in METHODS.items() for p in m.parameters]
KIND = np.random.default_rng(3).integers(2, size=200)


@pytest.fixture(params=METHODS)
def method(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def project(points: Points, method: str, parameters: Any, **options: Any) -> Layout:
    """Labels are given to methods that need them: of two kinds, whatever the points."""
    if find_method(method).needs_labels:
        options = {"labels": KIND[: len(points)]} | options
    return methods.project(points, method, parameters, **options)


def check(layout: Layout, count: int, dimensions: int = 2) -> None:
    assert layout.coordinates.shape == (count, dimensions)
    assert layout.coordinates.dtype == np.float32
    assert np.isfinite(layout.coordinates).all()
    assert all(array.dtype != object for array in layout.model.values())


def placer(method: str, points: Points, layout: Layout) -> Placer:
    """What places new points, from arrays that went through bytes, as those of a stored map do."""
    arrays = layout.model
    if find_method(method).placing == "neighbours":
        arrays = anchor_arrays(points, layout.coordinates, None, seed=0)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    buffer.seek(0)
    return load_placer(dict(np.load(buffer, allow_pickle=False)))


def place(method: str, points: Points, layout: Layout, new: Points) -> NDArray[np.float32]:
    return placer(method, points, layout).place(new)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_every_point_gets_finite_coordinates(method: str, dimensions: int) -> None:
    points = unit(np.random.default_rng(0).normal(size=(60, 8)))
    check(project(points, method, {}, dimensions=dimensions), 60, dimensions)


def test_the_same_seed_gives_the_same_map(method: str) -> None:
    points = blobs(30, 30).points
    first, second = (project(points, method, {}, seed=5) for _ in range(2))
    np.testing.assert_array_equal(first.coordinates, second.coordinates)
    assert first.figures == second.figures


@pytest.mark.parametrize("dimensions", [2, 3])
def test_far_blobs_stay_apart(method: str, dimensions: int) -> None:
    cloud = blobs(40, 30, 20)
    layout = project(cloud.points, method, {}, dimensions=dimensions, labels=cloud.truth)
    assert silhouette_score(layout.coordinates, cloud.truth) > 0.6


def test_the_order_of_the_rows_does_not_matter(method: str) -> None:
    cloud = blobs(40, 30, 20)
    order = np.random.default_rng(1).permutation(90)
    permuted = project(cloud.points[order], method, {}, labels=cloud.truth[order]).coordinates
    if find_method(method).placing == "linear":
        np.testing.assert_allclose(
            permuted, project(cloud.points, method, {}).coordinates[order], atol=1e-5
        )
    assert silhouette_score(permuted, cloud.truth[order]) > 0.6


def test_the_points_are_left_as_they_were(method: str) -> None:
    points = blobs(20, 20).points
    before = points.copy()
    points.flags.writeable = False  # as the memory-mapped file of a job is
    project(points, method, {})
    np.testing.assert_array_equal(points, before)


def test_few_points_are_drawn_from_the_stated_number_on(method: str) -> None:
    fewest = find_method(method).fewest_points
    points = blobs(4, 4).points
    for count in range(fewest, 8):
        check(project(points[:count], method, {}), count)
    if fewest > 1:
        with pytest.raises(InvalidParameters, match=f"at least {fewest} points.*possible.*: pca"):
            project(points[: fewest - 1], method, {})


@pytest.mark.parametrize("copies", [5, 30])
def test_equal_points_lie_in_one_place(method: str, copies: int) -> None:
    points = np.repeat(unit(np.ones((1, 4))), copies, axis=0)
    layout = project(points, method, {})
    check(layout, copies)
    assert np.ptp(layout.coordinates, axis=0).max() == 0
    np.testing.assert_allclose(place(method, points, layout, points), 0, atol=1e-6)


def test_many_copies_of_one_point_among_others_are_no_obstacle(method: str) -> None:
    points = blobs(40, 20).points
    points[:20] = points[0]
    check(project(points, method, {}), 60)


@pytest.mark.parametrize("bad", [np.nan, -np.inf])
def test_a_point_that_is_no_number_is_named(method: str, bad: float) -> None:
    points = blobs(20, 20).points
    points[7, 1] = bad
    with pytest.raises(InvalidParameters, match="row 7"):
        project(points, method, {})


def test_only_two_and_three_dimensions_are_drawn(method: str) -> None:
    with pytest.raises(InvalidParameters, match="2 or 3 dimensions, not 4"):
        project(blobs(20, 20).points, method, {}, dimensions=4)


def test_points_of_too_few_dimensions_are_refused(method: str) -> None:
    points = blobs(20, 20, dim=2).points
    check(project(points, method, {}), 40)
    with pytest.raises(InvalidParameters, match="not of 2"):
        project(points, method, {}, dimensions=3)


# -- new points


def test_an_old_point_is_placed_where_it_is(method: str) -> None:
    cloud = blobs(40, 30)
    layout = project(cloud.points, method, {})
    placed = place(method, cloud.points, layout, cloud.points)
    extent = np.ptp(layout.coordinates, axis=0).max()
    assert np.abs(placed - layout.coordinates).max() < 0.001 * extent


def test_a_new_point_lands_in_its_blob(method: str) -> None:
    cloud, fresh = blobs(40, 30), blobs(5, 5, seed=9)
    layout = project(cloud.points, method, {}, labels=cloud.truth)
    placed = place(method, cloud.points, layout, fresh.points)
    centres = np.stack([layout.coordinates[cloud.truth == blob].mean(axis=0) for blob in (0, 1)])
    distances = np.linalg.norm(placed[:, None] - centres, axis=2)
    np.testing.assert_array_equal(distances.argmin(axis=1), fresh.truth)


def test_new_points_are_placed_independently_of_each_other(method: str) -> None:
    points = blobs(40, 30).points
    fresh = unit(np.random.default_rng(2).normal(size=(12, 8)))
    layout = project(points, method, {})
    together = place(method, points, layout, fresh)
    alone = [place(method, points, layout, fresh[i : i + 1])[0] for i in range(12)]
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(together, place(method, points, layout, fresh))


def test_a_point_of_the_map_is_placed_within_the_spread_of_its_neighbours(method: str) -> None:
    cloud = blobs(60, 50)
    layout = project(cloud.points, method, {}, labels=cloud.truth)
    for row in range(0, 110, 7):
        others = np.delete(np.arange(110), row)
        without = Layout(layout.coordinates[others], layout.model)
        found = place(method, cloud.points[others], without, cloud.points[row : row + 1])[0]
        nearest = np.argsort(-cloud.points[others] @ cloud.points[row])[:15]
        around = layout.coordinates[others][nearest]
        if find_method(method).placing == "neighbours":
            assert (around.min(axis=0) - 1e-4 <= found).all()
            assert (found <= around.max(axis=0) + 1e-4).all()


# -- parameters


def test_an_unknown_method_is_answered_with_those_there_are() -> None:
    with pytest.raises(InvalidParameters, match=f"allowed: {', '.join(METHODS)}"):
        project(blobs(20, 20).points, "isomap", {})


def test_an_unknown_parameter_is_answered_with_those_there_are(method: str) -> None:
    names = ", ".join(p.name for p in METHODS[method].parameters) or "none"
    with pytest.raises(InvalidParameters, match=f"{method} has no parameter k; allowed: {names}"):
        project(blobs(20, 20).points, method, {"k": 3})


@pytest.mark.parametrize(("method", "parameter"), CASES, ids=[p.name for _, p in CASES])
def test_a_value_outside_its_range_is_answered_with_the_range(
    method: str, parameter: Parameter
) -> None:
    assert parameter.minimum is not None
    assert parameter.maximum is not None
    wrong: list[Any] = [None, True, "3", float("nan")]
    for value in [*wrong, parameter.minimum - 1, parameter.maximum + 1]:
        with pytest.raises(InvalidParameters, match=parameter.name) as caught:
            project(blobs(20, 20).points, method, {parameter.name: value})
        assert parameter.allowed() in caught.value.detail


# -- what is particular


def test_pca_explains_all_variance_of_points_in_a_plane() -> None:
    rng = np.random.default_rng(0)
    points = (rng.normal(size=(50, 2)) @ rng.normal(size=(2, 10))).astype(np.float32)
    layout = project(points, "pca", {})
    assert layout.figures["explained_variance"] == pytest.approx(1, abs=1e-5)
    distances = np.linalg.norm(points[:, None] - points, axis=2)
    drawn = np.linalg.norm(layout.coordinates[:, None] - layout.coordinates, axis=2)
    np.testing.assert_allclose(drawn, distances, atol=1e-4)


def test_pca_says_how_many_components_hold_most_of_the_variance() -> None:
    rng = np.random.default_rng(0)
    points = (rng.normal(size=(400, 6)) * [9, 6, 3, 1, 0.1, 0.01]).astype(np.float32)
    layout = project(points, "pca", {})
    curve = layout.model["explained_variance"]
    reference = PCA().fit(points).explained_variance_ratio_.cumsum()
    np.testing.assert_allclose(curve, reference, atol=1e-5)
    for share in (90, 95, 99):
        assert layout.figures[f"components_{share}"] == np.argmax(reference >= share / 100) + 1


@pytest.mark.parametrize("method_", ["umap", "densmap", "supervised_umap", "pacmap"])
def test_with_few_points_it_says_how_many_neighbours_it_used(method_: str) -> None:
    wanted = {"n_neighbors": 40}
    layout = project(blobs(5, 5).points, method_, wanted)
    assert layout.figures["n_neighbors"] == (9 if method_ == "pacmap" else 10)


def test_the_graph_of_umap_is_umap_learns() -> None:
    points = unit(np.random.default_rng(0).normal(size=(60, 8)))
    expected = np.load(Path(__file__).parent / "umap_learn_graph.npz", allow_pickle=False)
    graph = fuzzy_graph(nearest_neighbours(points, 14)).tocoo()
    dense = np.zeros((60, 60), np.float32)
    dense[graph.row, graph.col] = graph.data
    np.testing.assert_allclose(dense, expected["graph"], atol=2e-3)
    labels = np.arange(60) % 4 - 1
    supervised = nearer_of_a_kind(fuzzy_graph(nearest_neighbours(points, 14)), labels, 0.5)
    np.testing.assert_allclose(supervised.toarray(), expected["supervised"], atol=2e-3)


def test_the_number_of_threads_does_not_change_the_map(monkeypatch: pytest.MonkeyPatch) -> None:
    points = unit(np.random.default_rng(0).normal(size=(1100, 6)))
    maps = []
    for threads in ("1", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        maps.append(project(points, "pacmap", {}, seed=1).coordinates)
    np.testing.assert_array_equal(maps[0], maps[1])


def test_densmap_spreads_a_wide_group_more_than_umap_does() -> None:
    rng = np.random.default_rng(0)
    centres = np.eye(8)[np.repeat([0, 1], 60)]
    widths = np.repeat([0.02, 0.2], 60)[:, None]
    points = unit(centres + widths * rng.normal(size=(120, 8)))
    ratios = {}
    for method_ in ("umap", "densmap"):
        places = project(points, method_, {}).coordinates
        tight, wide = (places[part].std(axis=0).mean() for part in (slice(60), slice(60, 120)))
        ratios[method_] = wide / tight
    assert ratios["densmap"] > 1.5 * ratios["umap"]


def test_supervised_umap_parts_labels_that_the_points_do_not() -> None:
    points = unit(np.random.default_rng(0).normal(size=(120, 6)))
    labels = np.arange(120) % 2
    plain = project(points, "umap", {}).coordinates
    drawn = project(points, "supervised_umap", {"target_weight": 0.9}, labels=labels).coordinates
    assert silhouette_score(plain, labels) < 0.1 < silhouette_score(drawn, labels)


def test_without_labels_there_is_nothing_to_supervise() -> None:
    with pytest.raises(InvalidParameters, match="needs labels"):
        methods.project(blobs(20, 20).points, "supervised_umap", {})


@pytest.mark.parametrize("method_", ["umap", "tsne", "pacmap"])
def test_a_map_that_starts_from_a_former_one_keeps_its_layout(method_: str) -> None:
    cloud = blobs(50, 40, 30, 30)
    former = project(cloud.points, method_, {}).coordinates
    fresh = project(cloud.points, method_, {}, start=former, seed=7).coordinates
    places = align(fresh, former, only_turn=False).apply(fresh)
    assert moved(places, former)[0] < 0.4
