"""What every projection method must do, whichever it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import silhouette_score

from lookalike_service.analysis.parameters import Parameter
from lookalike_service.analysis.projection.layout import Layout, interpolate
from lookalike_service.analysis.projection.methods import METHODS, find_method, project
from lookalike_service.analysis.reduction import Linear
from lookalike_service.errors import InvalidParameters
from tests.clouds import Points, blobs, unit

CASES = [(name, p) for name, m in METHODS.items() for p in m.parameters]


@pytest.fixture(params=METHODS)
def method(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def check(layout: Layout, count: int, dimensions: int = 2) -> None:
    assert layout.coordinates.shape == (count, dimensions)
    assert layout.coordinates.dtype == np.float32
    assert np.isfinite(layout.coordinates).all()
    assert all(array.dtype != object for array in layout.model.values())


def place(method: str, points: Points, layout: Layout, new: Points) -> NDArray[np.float32]:
    """New points on a layout, as the method's row says; neighbours found by brute force."""
    if find_method(method).placing == "linear":
        return Linear(layout.model["mean"], layout.model["components"]).apply(new)
    similarities = new @ points.T
    nearest = np.argsort(-similarities, axis=1)[:, :15]
    near = np.take_along_axis(similarities, nearest, axis=1)
    return interpolate(near, layout.coordinates[nearest])


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
    layout = project(cloud.points, method, {}, dimensions=dimensions)
    assert silhouette_score(layout.coordinates, cloud.truth) > 0.6


def test_the_order_of_the_rows_does_not_matter(method: str) -> None:
    cloud = blobs(40, 30, 20)
    order = np.random.default_rng(1).permutation(90)
    permuted = project(cloud.points[order], method, {}).coordinates
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
    layout = project(cloud.points, method, {})
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
    np.testing.assert_allclose(together, alone, atol=1e-5)


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


def test_umap_says_how_many_neighbours_it_used() -> None:
    layout = project(blobs(5, 5).points, "umap", {"n_neighbors": 15})
    assert layout.figures["n_neighbors"] == 9
