"""Maps over time and to look at: measured, aligned, with images indexed since, as table and as picture."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from lookalike_service.analysis.progress import silent
from lookalike_service.analysis.projection.alignment import align
from lookalike_service.analysis.projection.before import reduce_before
from lookalike_service.analysis.projection.quality import measure
from lookalike_service.analysis.thumbnail_map import choose_cells
from lookalike_service.errors import InvalidField, InvalidParameters, UnknownProjection
from lookalike_service.schemas.cluster_versions import ClusteringPatch, ClusterPatch
from lookalike_service.schemas.clusterings import ClusteringOut, ClusteringRequest
from lookalike_service.schemas.projections import ProjectionOut, ProjectionPoints, ProjectionRequest
from lookalike_service.store.protocol import Collection, Point, point_id
from lookalike_service.workflows import (
    cluster_notes,
    clustering,
    collections,
    fitted_maps,
    map_drawing,
    map_points,
    map_table,
)
from lookalike_service.workflows import projection as workflow
from tests.clouds import blobs, unit
from tests.fakes.analyses import NAME, SPACE, numbered, task
from tests.fakes.store import FakeStore

CLOUD = blobs(30, 20)


def point(key: str, row: int, **payload: Any) -> Point:
    metadata = {"label": "ab"[CLOUD.truth[row]], "i": row, **payload.pop("metadata", {})}
    picture = io.BytesIO()
    Image.new("RGB", (32, 24), (255, 5 * row, 0)).save(picture, format="JPEG")
    thumbnail = base64.b64encode(picture.getvalue()).decode()
    whole = {"key": key, "metadata": metadata, "thumbnail": thumbnail, **payload}
    return Point(point_id(key), CLOUD.points[row], whole)


@pytest.fixture
def store() -> FakeStore:
    opened = FakeStore()
    opened.create_collection(Collection(NAME, SPACE, ""))
    opened.upsert(
        NAME, [point(str(i), i, indexed_at="2020-01-01T00:00:00+00:00") for i in range(40)]
    )
    return opened


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Path]:
    return numbered(tmp_path)


def project(store: FakeStore, folder: Path, **request: Any) -> ProjectionOut:
    body = ProjectionRequest(**{"method": "pca", "name": "map"} | request)
    job = task(store, workflow.validate(store, NAME, body), folder)
    return ProjectionOut.model_validate(workflow.run(job))


def points(store: FakeStore, *columns: str) -> ProjectionPoints:
    return map_points.describe(store, NAME, "map", list(columns))


def places(found: ProjectionPoints) -> dict[str, list[float]]:
    return dict(zip(found.ids, found.coordinates, strict=True))


# -- new images


@pytest.mark.parametrize("method", ["pca", "pacmap"])
def test_images_indexed_since_are_on_the_map_where_transform_puts_them(
    store: FakeStore, folders: Iterator[Path], method: str
) -> None:
    project(store, next(folders), method=method)
    before = points(store)
    store.upsert(NAME, [point("new", 45), point("other", 46)])
    after = points(store)
    assert {*after.ids} - {*before.ids} == {"new", "other"}
    assert {id for id, later in zip(after.ids, after.later, strict=True) if later} == {
        "new",
        "other",
    }
    expected = fitted_maps.place(store, NAME, "map", CLOUD.points[45:46])[0]
    np.testing.assert_allclose(places(after)["new"], expected, atol=1e-6)
    assert all(places(after)[id] == places(before)[id] for id in before.ids)
    assert after.distortion[after.ids.index("new")] is None
    assert points(store) == after, "they stay where they are"


def test_an_image_that_is_replaced_moves(store: FakeStore, folders: Iterator[Path]) -> None:
    project(store, next(folders))
    for row, year in ((45, 2198), (46, 2199)):
        store.upsert(NAME, [point("3", row, indexed_at=f"{year}-01-01T00:00:00+00:00")])
        expected = fitted_maps.place(store, NAME, "map", CLOUD.points[row : row + 1])[0]
        np.testing.assert_allclose(places(points(store))["3"], expected, atol=1e-6)


def test_a_filtered_map_takes_new_images_of_its_filter_alone(
    store: FakeStore, folders: Iterator[Path]
) -> None:
    only_a = {"must": [{"key": "metadata.label", "match": {"value": "a"}}]}
    project(store, next(folders), filter=only_a)
    rows = {label: int(np.flatnonzero(CLOUD.truth[40:] == label)[0]) + 40 for label in (0, 1)}
    store.upsert(NAME, [point("an a", rows[0]), point("a b", rows[1])])
    assert "an a" in points(store).ids
    assert "a b" not in points(store).ids


def test_places_of_a_map_that_was_replaced_are_not_those_of_the_new_one(
    store: FakeStore, folders: Iterator[Path]
) -> None:
    project(store, next(folders))
    store.upsert(NAME, [point("new", 45)])
    points(store)
    project(store, next(folders), dimensions=3)
    assert {len(place) for place in points(store).coordinates} == {3}


def test_a_dropped_map_takes_what_was_placed_along(
    store: FakeStore, folders: Iterator[Path]
) -> None:
    project(store, next(folders))
    store.upsert(NAME, [point("new", 45)])
    points(store)
    workflow.delete(store, NAME, "map")
    assert store.arrays(workflow.LATER, "c/map") is None
    project(store, next(folders))
    points(store)
    collections.drop(store, NAME)
    assert store.arrays(workflow.LATER, "c/map") is None


# -- aligned, measured


@pytest.mark.parametrize("method", ["pca", "umap"])
def test_a_map_made_anew_stays_where_it_was(
    store: FakeStore, folders: Iterator[Path], method: str
) -> None:
    project(store, next(folders), method=method)
    before = points(store)
    store.upsert(NAME, [point("new", 45)])
    run = project(store, next(folders), method=method, align_to="map", seed=3)
    after = points(store)
    assert run.diagnostics["aligned_points"] == 40
    moved = run.diagnostics["moved"]
    assert moved is not None
    assert moved < 0.5
    steps = [np.subtract(places(after)[id], places(before)[id]) for id in before.ids]
    old = np.array(before.coordinates)
    radius = np.sqrt(((old - old.mean(axis=0)) ** 2).sum(axis=1).mean())
    assert moved == pytest.approx(np.sqrt((np.square(steps)).sum(axis=1).mean()) / radius, rel=1e-3)
    again = fitted_maps.place(store, NAME, "map", CLOUD.points[45:46])[0]
    np.testing.assert_allclose(again, places(after)["new"], atol=0.05 * radius)


def test_a_map_is_aligned_to_one_of_as_many_dimensions_that_there_is(
    store: FakeStore, folders: Iterator[Path]
) -> None:
    project(store, next(folders))
    with pytest.raises(InvalidParameters, match="has 2 dimensions"):
        project(store, next(folders), dimensions=3, align_to="map")
    with pytest.raises(UnknownProjection):
        project(store, next(folders), align_to="zzz")


def test_turning_moving_and_scaling_a_map_is_undone() -> None:
    old = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    turned = (old @ np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0] * 4 + 7).astype(
        np.float32
    )
    np.testing.assert_allclose(align(turned, old, only_turn=False).apply(turned), old, atol=1e-4)


def test_a_map_is_measured_by_labels(store: FakeStore, folders: Iterator[Path]) -> None:
    run = project(store, next(folders), label_field="metadata.label")
    assert run.diagnostics["label_accuracy"] == run.diagnostics["label_accuracy_before"] == 1.0
    assert run.label_field == "metadata.label"
    with pytest.raises(InvalidField, match=r"metadata\.zzz"):
        project(store, next(folders), label_field="metadata.zzz")
    with pytest.raises(InvalidParameters, match="label_field"):
        project(store, next(folders), method="supervised_umap")


def test_a_point_whose_neighbours_the_map_lost_is_distorted(
    store: FakeStore, folders: Iterator[Path]
) -> None:
    project(store, next(folders), dimensions=2)
    known = [one for one in points(store).distortion if one is not None]
    assert len(known) == 40
    assert 0 <= min(known) < max(known) <= 1


def test_the_accuracy_of_a_map_without_order_is_that_of_chance() -> None:
    rng = np.random.default_rng(0)
    cloud = blobs(100, 100)
    found = measure(cloud.points, rng.normal(size=(200, 2)).astype(np.float32), labels=cloud.truth)
    assert found is not None
    assert found.accuracy_before == 1.0
    assert 0.3 < (found.accuracy or 0) < 0.7
    assert 0.4 < found.trustworthiness < 0.6


def test_points_are_reduced_first_only_where_that_keeps_their_neighbours() -> None:
    rng = np.random.default_rng(0)
    flat = unit(rng.normal(size=(300, 6)) @ rng.normal(size=(6, 80)))
    reduced, before, figures = reduce_before(flat, "auto", seed=0, progress=silent)
    assert before is not None
    assert reduced.shape == (300, 50)
    assert (figures["reduction_trustworthiness"] or 0) > 0.99
    full = unit(rng.normal(size=(300, 400)))
    same, before, figures = reduce_before(full, "auto", seed=0, progress=silent)
    assert before is None
    assert same is full
    assert (figures["reduction_trustworthiness"] or 1) < 0.98


@pytest.mark.parametrize("reduction", ["umap:5", "pca:900", "what"])
def test_a_reduction_that_cannot_come_first_is_refused(store: FakeStore, reduction: str) -> None:
    with pytest.raises(InvalidParameters):
        workflow.validate(store, NAME, ProjectionRequest(reduction=reduction))


# -- tables and pictures


def test_the_arrow_table_holds_what_the_json_does(
    store: FakeStore, folders: Iterator[Path]
) -> None:
    project(store, next(folders))
    store.upsert(NAME, [point("new", 45, metadata={"odd": [1]})])
    store.write_labels(NAME, "k", [point_id("0"), point_id("1")], np.array([3, -1]))
    columns = ["metadata.label", "clusters.k", "metadata.odd"]
    found = points(store, *columns)
    table = pa.ipc.open_stream(b"".join(map_table.stream(store, NAME, "map", columns))).read_all()
    assert table.column("id").to_pylist() == found.ids
    assert [list(xy) for xy in zip(*(table.column(a).to_pylist() for a in "xy"), strict=True)] == (
        found.coordinates
    )
    assert table.column("distortion").to_pylist() == found.distortion
    assert table.column("later").to_pylist() == found.later
    assert table.column("clusters.k").type == pa.int64()
    assert table.column("clusters.k").to_pylist() == found.columns["clusters.k"]
    assert set(table.column("metadata.odd").to_pylist()) == {None, "[1]"}
    assert ProjectionOut.model_validate_json(table.schema.metadata[b"projection"]) == workflow.get(
        store, NAME, "map"
    )


def test_with_a_filter_a_map_tells_of_the_images_that_match_alone(
    store: FakeStore, folders: Iterator[Path]
) -> None:
    project(store, next(folders))
    store.upsert(NAME, [point("new", 45)])
    whole = points(store, "metadata.label")
    only_a = {"must": [{"key": "metadata.label", "match": {"value": "a"}}]}
    found = map_points.describe(store, NAME, "map", ["metadata.label"], only_a)
    expected = [i for i, label in enumerate(whole.columns["metadata.label"]) if label == "a"]
    assert 0 < len(expected) < len(whole.ids)
    assert found.ids == [whole.ids[i] for i in expected]
    assert found.coordinates == [whole.coordinates[i] for i in expected]
    assert found.distortion == [whole.distortion[i] for i in expected]
    assert found.later == [whole.later[i] for i in expected]
    assert set(found.columns["metadata.label"]) == {"a"}
    parts = b"".join(map_table.stream(store, NAME, "map", [], only_a))
    assert pa.ipc.open_stream(parts).read_all().column("id").to_pylist() == found.ids


def test_a_column_that_no_image_has_is_an_error(store: FakeStore, folders: Iterator[Path]) -> None:
    project(store, next(folders))
    with pytest.raises(InvalidField, match=r"metadata\.zzz"):
        points(store, "metadata.zzz")
    with pytest.raises(InvalidField, match=r"metadata\.zzz"):
        map_table.stream(store, NAME, "map", ["metadata.zzz"])


@pytest.mark.parametrize("color", [None, "metadata.label", "distortion"])
def test_a_map_is_drawn_as_svg_and_the_same_each_time(
    store: FakeStore, folders: Iterator[Path], color: str | None
) -> None:
    project(store, next(folders))
    first, second = (map_drawing.draw(store, NAME, "map", color, "svg") for _ in range(2))
    assert first == second
    assert ET.fromstring(first).tag.endswith("svg")  # noqa: S314 - our own


def test_the_legend_says_the_names_that_clusters_were_given(
    store: FakeStore, folders: Iterator[Path]
) -> None:
    project(store, next(folders))
    request = ClusteringRequest(algorithm="kmeans", parameters={"k": 2}, name="k")
    run = ClusteringOut.model_validate(
        clustering.run(task(store, clustering.validate(store, NAME, request), next(folders)))
    )
    patch = ClusteringPatch(clusters={1: ClusterPatch(name="cups")})
    cluster_notes.annotate(store, NAME, run, patch)
    drawn = map_drawing.draw(store, NAME, "map", "clusters.k", "svg").decode()
    assert f"cups · 1  ({run.clusters[1].size})" in drawn
    assert f"cluster 0  ({run.clusters[0].size})" in drawn
    assert "cluster 1" not in drawn


def test_thumbnails_lie_where_their_points_do(store: FakeStore, folders: Iterator[Path]) -> None:
    project(store, next(folders))
    drawn = Image.open(io.BytesIO(map_drawing.draw_pictures(store, NAME, "map"))).convert("RGB")
    found = points(store)
    cells = choose_cells(np.array(found.coordinates, np.float32))
    for row, column, line in zip(cells.rows, cells.columns, cells.lines, strict=True):
        red, green, blue = drawn.getpixel((36 + 72 * column + 36, 64 + 72 * line + 36))  # type: ignore[misc]  # of an RGB picture
        assert abs(red - 255) + abs(green - 5 * int(found.ids[row])) + abs(blue) < 30
    project(store, next(folders), dimensions=3)
    with pytest.raises(InvalidParameters, match="2 dimensions"):
        map_drawing.draw_pictures(store, NAME, "map")


def test_no_two_thumbnails_share_a_cell() -> None:
    cells = choose_cells(np.random.default_rng(0).normal(size=(3000, 2)).astype(np.float32))
    at = list(zip(cells.columns, cells.lines, strict=True))
    assert len(set(at)) == len(at) == len(set(cells.rows))
    assert max(cells.columns) < cells.width
    assert max(cells.lines) < cells.height
    assert choose_cells(np.zeros((5, 2), np.float32)).rows == [0]
    assert choose_cells(np.zeros((0, 2), np.float32)).rows == []
