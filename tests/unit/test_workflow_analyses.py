"""Clusterings and projections on a store: what reaches the images, and what happens meanwhile."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lookalike_service.analysis.plot import plot_projection
from lookalike_service.errors import (
    InvalidField,
    InvalidFilter,
    InvalidParameters,
    LookalikeError,
    UnknownClustering,
    UnknownCollection,
    UnknownProjection,
)
from lookalike_service.schemas.clusterings import ClusteringOut, ClusteringRequest
from lookalike_service.schemas.projections import ProjectionPoints, ProjectionRequest
from lookalike_service.store.protocol import Collection, point_id
from lookalike_service.workflows import (
    agreement,
    assignment,
    clustering,
    collections,
    fitted_maps,
    map_drawing,
    map_points,
    projection,
    runs,
)
from tests.fakes.analyses import (
    CLOUD,
    DIM,
    NAME,
    ONLY_A,
    SPACE,
    Meanwhile,
    clustered,
    labels,
    numbered,
    point,
    task,
    two_blobs,
)
from tests.fakes.store import FakeStore


@pytest.fixture
def store() -> Meanwhile:
    return two_blobs()


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Path]:
    """A new folder for each job."""
    return numbered(tmp_path)


def projected(store: FakeStore, folder: Path, **request: Any) -> dict[str, Any]:
    body = ProjectionRequest(**{"method": "pca"} | request)
    return projection.run(task(store, projection.validate(store, NAME, body), folder))


def points_of(store: FakeStore, name: str = "pca") -> ProjectionPoints:
    return map_points.describe(store, NAME, name, [])


# -- clusterings


def test_labels_reach_records_hits_and_filters(store: Meanwhile, folders: Iterator[Path]) -> None:
    run = clustered(store, next(folders))
    written = labels(store)
    assert [written[str(i)] for i in range(50)] == CLOUD.truth.tolist(), "0 is the larger blob"
    assert store.query(NAME, CLOUD.points[3])[0].payload["clusters"] == {
        "kmeans": int(CLOUD.truth[3])
    }
    second = {"must": [{"key": "clusters.kmeans", "match": {"value": 1}}]}
    assert store.count(NAME, second) == 20
    assert (run.points, run.noise) == (50, 0)
    assert [(c.label, c.size) for c in run.clusters] == [(0, 30), (1, 20)]
    assert [written[str(c.medoid)] for c in run.clusters] == [0, 1]
    assert run.space == SPACE.id
    assert clustering.get(store, NAME, "kmeans") == run


def test_noise_is_counted_and_labelled(store: Meanwhile, folders: Iterator[Path]) -> None:
    lone = np.eye(DIM, dtype=np.float32)[5:]
    store.upsert(NAME, [point(f"lone {i}", vector) for i, vector in enumerate(lone)])
    run = clustered(store, next(folders), algorithm="hdbscan", parameters={})
    written = labels(store, "hdbscan")
    assert [written[f"lone {i}"] for i in range(3)] == [-1, -1, -1]
    assert run.noise == sum(label == -1 for label in written.values())


def test_runs_of_other_names_stand_side_by_side(store: Meanwhile, folders: Iterator[Path]) -> None:
    clustered(store, next(folders), name="two")
    clustered(store, next(folders), name="five", parameters={"k": 5})
    assert [run.name for run in clustering.list_runs(store, NAME)] == ["five", "two"]
    assert set(labels(store, "two").values()) == {0, 1}
    assert set(labels(store, "five").values()) == {0, 1, 2, 3, 4}


def test_a_second_run_over_fewer_images_takes_the_old_labels_away(
    store: Meanwhile, folders: Iterator[Path]
) -> None:
    clustered(store, next(folders))
    run = clustered(store, next(folders), filter=ONLY_A)
    assert run.points == 30
    assert set(labels(store)) == {str(i) for i in range(50) if CLOUD.truth[i] == 0}


def test_labels_of_a_run_that_crashed_before_it_was_kept_are_taken_away(
    store: Meanwhile, folders: Iterator[Path]
) -> None:
    store.write_labels(NAME, "kmeans", [point_id("0")], np.array([7]))
    clustered(store, next(folders), filter={"must_not": [{"has_id": ["0"]}]})
    assert "0" not in labels(store)


def test_labels_are_written_in_one_call(
    store: Meanwhile, folders: Iterator[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    write = store.write_labels

    def counted(name: str, clustering: str, ids: Any, labels: Any, *, replace: bool) -> None:
        assert replace, "those of an older run go in the same call"
        calls.append(len(ids))
        write(name, clustering, ids, labels, replace=replace)

    monkeypatch.setattr(store, "write_labels", counted)
    clustered(store, next(folders))
    assert calls == [50]


def test_a_run_cancelled_before_writing_changes_nothing(
    store: Meanwhile, folders: Iterator[Path]
) -> None:
    first = clustered(store, next(folders))

    def cancel(stage: str, done: int, total: int | None) -> None:
        if stage == "writing labels":
            raise KeyboardInterrupt

    body = ClusteringRequest(parameters={"k": 5})
    job = task(store, clustering.validate(store, NAME, body), next(folders), progress=cancel)
    with pytest.raises(KeyboardInterrupt):
        clustering.run(job)
    assert set(labels(store).values()) == {0, 1}
    assert clustering.get(store, NAME, "kmeans") == first


def test_images_deleted_while_vectors_are_read_are_left_out(
    store: Meanwhile, folders: Iterator[Path]
) -> None:
    gone = [point_id(str(i)) for i in range(10)]
    store.before_vectors = lambda: store.delete(NAME, gone)
    run = clustered(store, next(folders))
    assert run.points == 40
    assert set(labels(store)) == {str(i) for i in range(10, 50)}


def test_images_indexed_while_vectors_are_read_are_assigned_in_the_end(
    store: Meanwhile, folders: Iterator[Path]
) -> None:
    fresh = [point(f"new {i}", CLOUD.points[i]) for i in range(10)]
    store.before_vectors = lambda: store.upsert(NAME, fresh)
    run = clustered(store, next(folders))
    written = labels(store)
    assert run.points == 50
    assert [written[f"new {i}"] for i in range(10)] == [written[str(i)] for i in range(10)]


def test_all_images_deleted_is_a_clear_error(store: Meanwhile, folders: Iterator[Path]) -> None:
    store.before_vectors = lambda: store.delete_matching(NAME, {})
    with pytest.raises(InvalidParameters, match="All images were deleted"):
        clustered(store, next(folders))


def test_a_medoid_deleted_while_the_job_runs_is_null(
    store: Meanwhile, folders: Iterator[Path]
) -> None:
    a = {point_id(str(i)) for i in range(50) if CLOUD.truth[i] == 0}
    body = ClusteringRequest(parameters={"k": 2})
    job = task(
        store,
        clustering.validate(store, NAME, body),
        next(folders),
        before_answer=lambda: store.delete(NAME, sorted(a)),
    )
    run = ClusteringOut.model_validate(clustering.run(job))
    assert run.clusters[0].medoid is None
    assert run.clusters[1].medoid is not None
    assert len(labels(store)) == 20


def test_gathered_vectors_lie_on_disk_in_the_order_of_the_ids(
    store: Meanwhile, folders: Iterator[Path]
) -> None:
    folder, seen = next(folders), list[tuple[str, int, int | None]]()
    ids = runs.gather(
        store, store.collection(NAME), ONLY_A, folder, lambda *call: seen.append(call)
    )
    vectors = np.load(folder / "vectors.npy")
    expected = {r.id: r.vector for r in store.retrieve(NAME, ids, vectors=True)}
    np.testing.assert_array_equal(vectors, [expected[id] for id in ids])
    assert vectors.dtype == np.float32
    assert [path.name for path in folder.iterdir()] == ["vectors.npy"]
    assert seen == [("reading vectors", 16, 30), ("reading vectors", 30, 30)]


@pytest.mark.parametrize(
    ("request_", "error", "text"),
    [
        ({"parameters": {"k": 51}}, InvalidParameters, "allowed here: 1 to 50"),
        ({"parameters": {"k": 31}, "filter": ONLY_A}, InvalidParameters, "allowed here: 1 to 30"),
        ({"parameters": {"clusters": 2}}, InvalidParameters, "no parameter clusters; allowed: k"),
        ({"algorithm": "tea leaves"}, InvalidParameters, "allowed: agglomerative, dbscan"),
        ({"reduction": "pca:9"}, InvalidParameters, "at most 8"),
        ({"reduction": "svd"}, InvalidParameters, "pca:COUNT"),
        ({"seed": -1}, InvalidParameters, "seed is -1"),
        ({"parameters": {"k": [2, 51]}}, InvalidParameters, "allowed here: 1 to 50"),
        (
            {"algorithm": "dbscan", "parameters": {"eps": 0}},
            InvalidParameters,
            "a number from 1e-09",
        ),
        (
            {"algorithm": "dbscan", "parameters": {"eps": 10**400}},
            InvalidParameters,
            "parameter eps is 1000000",
        ),
        ({"parameters": {"k": 10**400}}, InvalidParameters, "parameter k is 1000000"),
        ({"filter": {"must": [{"has_id": ["zzz"]}]}}, InvalidParameters, "matches no image"),
        ({"filter": {"perhaps": []}}, InvalidFilter, "perhaps"),
    ],
)
def test_an_impossible_clustering_is_refused_before_it_is_queued(
    store: Meanwhile, request_: Any, error: type[LookalikeError], text: str
) -> None:
    with pytest.raises(error, match=text):
        clustering.validate(store, NAME, ClusteringRequest(**request_))


def test_validated_parameters_have_name_and_defaults_filled_in(store: Meanwhile) -> None:
    body = clustering.validate(store, NAME, ClusteringRequest(algorithm="hdbscan"))
    assert body["name"] == "hdbscan"
    assert body["parameters"]["min_cluster_size"] == 5
    assert clustering.validate(store, NAME, ClusteringRequest(name="mine"))["name"] == "mine"


def test_k_is_chosen_from_a_range_and_the_choice_drawn(
    store: Meanwhile, folders: Iterator[Path]
) -> None:
    run = clustered(store, next(folders), parameters={"k": [2, 5]}, criterion="gap", stability=2)
    assert run.parameters["k"] == [2, 5]
    assert run.sweep is not None
    assert (run.sweep.k, run.sweep.criterion, run.sweep.points) == (2, "gap", 50)
    assert [candidate.k for candidate in run.sweep.candidates] == [2, 3, 4, 5]
    assert len(run.clusters) == 2
    assert all(found.stability == 1 for found in run.clusters)
    assert clustering.draw_sweep(store, NAME, "kmeans").startswith(b"\x89PNG")
    assert clustering.get(store, NAME, "kmeans") == run
    clustered(store, next(folders), name="plain")
    with pytest.raises(InvalidParameters, match="not made by trying several k"):
        clustering.draw_sweep(store, NAME, "plain")


def test_exemplars_and_outliers_are_named_members(
    store: Meanwhile, folders: Iterator[Path]
) -> None:
    run = clustered(store, next(folders))
    written = labels(store)
    for found in run.clusters:
        assert found.exemplars[0] == found.medoid
        assert len(found.exemplars) == len(found.outliers) == 6
        shown = {*found.exemplars, *found.outliers}
        assert len(shown) == 12
        assert {written[key] for key in shown} == {found.label}
        assert found.separation == pytest.approx(1, abs=0.1), "the blobs are at right angles"


@pytest.mark.parametrize("reduction", [None, "pca:3", "whiten:2", "random:5"])
@pytest.mark.parametrize("algorithm", ["kmeans", "hdbscan", "gaussian_mixture"])
def test_new_vectors_are_assigned_as_if_they_had_been_there(
    store: Meanwhile, folders: Iterator[Path], algorithm: str, reduction: str | None
) -> None:
    parameters = {} if algorithm == "hdbscan" else {"k": 2}
    clustered(store, next(folders), algorithm=algorithm, parameters=parameters, reduction=reduction)
    written = labels(store, algorithm)
    found, confidences = assignment.assign(store, NAME, algorithm, CLOUD.points)
    known = [i for i in range(50) if written[str(i)] >= 0]
    assert len(known) > 40
    assert [int(found[i]) for i in known] == [written[str(i)] for i in known]
    assert ((confidences >= 0) & (confidences <= 1)).all()
    alone, _ = assignment.assign(store, NAME, algorithm, CLOUD.points[3:4])
    assert alone[0] == found[3]


def test_vectors_are_assigned_to_no_clustering_but_an_existing_one(store: Meanwhile) -> None:
    with pytest.raises(UnknownClustering):
        assignment.assign(store, NAME, "none", CLOUD.points)


def test_a_clustering_is_compared_with_a_field(store: Meanwhile, folders: Iterator[Path]) -> None:
    clustered(store, next(folders))
    store.upsert(NAME, [point("late", CLOUD.points[0], label="b")])
    gone = next(str(i) for i in range(50) if CLOUD.truth[i] == 1)
    store.delete(NAME, [point_id(gone)])
    found = agreement.compare(
        store, NAME, "kmeans", "metadata.label", value="b", precision_weight=0.3
    )
    assert (found.points, found.without) == (49, 1), "what the run did not see is left out"
    assert (found.clusters, found.values) == ([0, 1], ["a", "b"])
    assert found.confusion == [[30, 0], [0, 19]]
    assert found.figures["adjusted_rand"] == 1
    assert found.holding is not None
    assert (found.holding.clusters, found.holding.quality) == ([1], 1)
    assert found.independence is not None
    assert found.independence.p < 1e-6
    assert [(pair.label, pair.value) for pair in found.matching] == [(0, "a"), (1, "b")]


@pytest.mark.parametrize(
    ("field", "error", "text"),
    [
        ("metadata.nothing", InvalidField, "No image of clustering"),
        ("clusters.kmeans", InvalidField, "metadata.NAME"),
        ("metadata.", InvalidField, "metadata.NAME"),
        ("metadata.nested", InvalidField, "No image of clustering"),
    ],
)
def test_a_field_to_compare_with_must_be_one_with_values(
    store: Meanwhile, folders: Iterator[Path], field: str, error: type[LookalikeError], text: str
) -> None:
    clustered(store, next(folders))
    with pytest.raises(error, match=text):
        agreement.compare(store, NAME, "kmeans", field, value=None, precision_weight=0.5)


def test_a_clustering_is_compared_with_nested_values_and_lists(
    store: Meanwhile, folders: Iterator[Path]
) -> None:
    store.upsert(
        NAME,
        [
            point(str(i), CLOUD.points[i], tags=["x", "y"] if i % 2 else [], nested={"x": i % 5})
            for i in range(50)
        ],
    )
    clustered(store, next(folders))
    tags = agreement.compare(store, NAME, "kmeans", "metadata.tags", value=None, precision_weight=1)
    assert (tags.values, tags.points, tags.without) == (["x"], 25, 25)
    assert tags.independence is None
    nested = agreement.compare(
        store, NAME, "kmeans", "metadata.nested.x", value=None, precision_weight=1
    )
    assert nested.values == ["0", "1", "2", "3", "4"]
    assert nested.holding is None


# -- projections


@pytest.mark.parametrize(
    ("request_", "text"),
    [
        ({"method": "isomap"}, "allowed: pca, umap"),
        ({"method": "umap", "parameters": {"n_neighbors": 1}}, "from 2 to 200"),
        ({"method": "pca", "parameters": {"k": 1}}, "allowed: none"),
        ({"seed": 2**32}, "seed is"),
        (
            {"method": "umap", "filter": {"must": [{"has_id": ["1", "2", "3", "4"]}]}},
            "umap needs at least 5 points, and there are 4; possible with these: pca",
        ),
    ],
)
def test_an_impossible_projection_is_refused_before_it_is_queued(
    store: Meanwhile, request_: Any, text: str
) -> None:
    with pytest.raises(InvalidParameters, match=text):
        projection.validate(store, NAME, ProjectionRequest(**request_))


@pytest.mark.parametrize("workflow", [clustering, projection])
def test_an_empty_or_unknown_collection_is_refused_before_it_is_queued(workflow: Any) -> None:
    store = FakeStore()
    request = ClusteringRequest() if workflow is clustering else ProjectionRequest()
    with pytest.raises(UnknownCollection):
        workflow.validate(store, NAME, request)
    store.create_collection(Collection(NAME, SPACE, ""))
    with pytest.raises(InvalidParameters, match="holds no images"):
        workflow.validate(store, NAME, request)


def test_a_projection_has_a_place_for_every_image(
    store: Meanwhile, folders: Iterator[Path]
) -> None:
    result = projected(store, next(folders), dimensions=3)
    points = points_of(store)
    assert sorted(points.ids, key=int) == [str(i) for i in range(50)]
    assert {len(place) for place in points.coordinates} == {3}
    assert result == projection.get(store, NAME, "pca").model_dump(mode="json")
    assert 0 < result["diagnostics"]["trustworthiness"] <= 1


def test_the_points_of_deleted_images_are_left_out(
    store: Meanwhile, folders: Iterator[Path]
) -> None:
    projected(store, next(folders))
    before = points_of(store)
    store.delete(NAME, [point_id("0"), point_id("7")])
    after = points_of(store)
    assert set(before.ids) - set(after.ids) == {"0", "7"}
    places = dict(zip(before.ids, before.coordinates, strict=True))
    assert after.coordinates == [places[id] for id in after.ids]


@pytest.mark.parametrize("method", ["pca", "umap"])
def test_an_image_on_the_map_is_placed_where_it_lies_and_others_do_not_matter(
    store: Meanwhile, folders: Iterator[Path], method: str
) -> None:
    projected(store, next(folders), method=method)
    points = points_of(store, method)
    place = dict(zip(points.ids, points.coordinates, strict=True))
    alone = fitted_maps.place(store, NAME, method, CLOUD.points[3:4])
    together = fitted_maps.place(store, NAME, method, CLOUD.points[[9, 3, 1]])
    np.testing.assert_allclose(alone[0], place["3"], atol=0.02)
    np.testing.assert_allclose(together[1], alone[0], atol=1e-5)


def test_images_indexed_after_the_map_was_made_do_not_pull_new_ones(
    store: Meanwhile, folders: Iterator[Path]
) -> None:
    projected(store, next(folders), method="umap")
    before = fitted_maps.place(store, NAME, "umap", CLOUD.points[:1])
    store.upsert(NAME, [point(f"new {i}", CLOUD.points[0]) for i in range(20)])
    after = fitted_maps.place(store, NAME, "umap", CLOUD.points[:1])
    np.testing.assert_allclose(after, before, atol=1e-6)


def test_a_map_places_new_images_though_its_own_are_gone(
    store: Meanwhile, folders: Iterator[Path]
) -> None:
    projected(store, next(folders), method="umap")
    before = fitted_maps.place(store, NAME, "umap", CLOUD.points[:1])
    store.delete_matching(NAME, {})
    np.testing.assert_array_equal(fitted_maps.place(store, NAME, "umap", CLOUD.points[:1]), before)
    assert points_of(store, "umap").ids == []


# -- pictures


@pytest.fixture
def plotted(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the plot was asked to draw."""
    seen: dict[str, Any] = {}

    def recorded(coordinates: Any, **options: Any) -> bytes:
        seen.update(options, points=len(coordinates))
        return plot_projection(coordinates, **options)

    monkeypatch.setattr(map_drawing, "plot_projection", recorded)
    return seen


def draw(store: FakeStore, color: str | None) -> None:
    png = map_drawing.draw(store, NAME, "pca", color)
    assert Image.open(io.BytesIO(png)).format == "PNG"


def test_a_map_is_drawn_by_clusters_with_noise(
    store: Meanwhile, folders: Iterator[Path], plotted: dict[str, Any]
) -> None:
    projected(store, next(folders))
    ids = [point_id(str(i)) for i in range(49)]
    store.write_labels(NAME, "k", ids, np.arange(49) % 3 - 1)
    draw(store, "clusters.k")
    assert set(plotted["labels"]) == {-1, 0, 1, "none"}
    assert plotted["legend"] == "clusters.k"


@pytest.mark.parametrize(
    ("color", "names"),
    [("metadata.label", {"a", "b"}), ("metadata.few", {"-1", "0", "1"})],
)
def test_a_map_is_drawn_by_categories(
    store: Meanwhile, folders: Iterator[Path], plotted: dict[str, Any], color: str, names: set[str]
) -> None:
    projected(store, next(folders))
    draw(store, color)
    assert set(plotted["labels"]) == names, "numbers of metadata are no clusters"


@pytest.mark.parametrize("color", ["metadata.i", "metadata.nested.x"])
def test_a_map_is_drawn_by_numbers_and_unknown_ones_are_nan(
    store: Meanwhile, folders: Iterator[Path], plotted: dict[str, Any], color: str
) -> None:
    store.upsert(NAME, [point("without", CLOUD.points[0])])
    projected(store, next(folders))
    draw(store, color)
    values = np.array(plotted["values"])
    assert np.isnan(values).sum() == 1
    assert sorted(values[~np.isnan(values)]) == list(range(50))


def test_a_map_is_drawn_without_colours(
    store: Meanwhile, folders: Iterator[Path], plotted: dict[str, Any]
) -> None:
    projected(store, next(folders))
    draw(store, None)
    assert "labels" not in plotted
    assert plotted["points"] == 50
    assert plotted["title"] == "c: pca of 50 images"


@pytest.mark.parametrize("color", ["metadata.zzz", "clusters.zzz", "metadata.label.deeper"])
def test_a_colour_that_no_image_has_is_an_error(
    store: Meanwhile, folders: Iterator[Path], color: str
) -> None:
    projected(store, next(folders))
    with pytest.raises(InvalidField, match=color):
        map_drawing.draw(store, NAME, "pca", color)


# -- reading and dropping


def test_an_unknown_run_is_answered_with_those_there_are(
    store: Meanwhile, folders: Iterator[Path]
) -> None:
    clustered(store, next(folders), name="one")
    projected(store, next(folders), name="map")
    for of_clustering in (clustering.get, clustering.delete):
        with pytest.raises(UnknownClustering, match="'zzz'; it has: one"):
            of_clustering(store, NAME, "zzz")
    for of_projection in (projection.get, projection.delete, map_points.read):
        with pytest.raises(UnknownProjection, match="'zzz'; it has: map"):
            of_projection(store, NAME, "zzz")
    with pytest.raises(UnknownProjection):
        map_drawing.draw(store, NAME, "zzz", None)
    with pytest.raises(UnknownProjection):
        fitted_maps.place(store, NAME, "zzz", CLOUD.points[:1])


@pytest.mark.parametrize("workflow", [clustering, projection])
def test_runs_of_an_unknown_collection_are_an_error(store: Meanwhile, workflow: Any) -> None:
    with pytest.raises(UnknownCollection):
        workflow.list_runs(store, "zzz")
    with pytest.raises(UnknownCollection):
        workflow.get(store, "zzz", "kmeans")


def test_a_dropped_clustering_takes_its_labels_along(
    store: Meanwhile, folders: Iterator[Path]
) -> None:
    clustered(store, next(folders), name="one")
    clustered(store, next(folders), name="two")
    clustering.delete(store, NAME, "one")
    assert [run.name for run in clustering.list_runs(store, NAME)] == ["two"]
    assert labels(store, "one") == {}
    assert len(labels(store, "two")) == 50


def test_runs_of_a_collection_whose_name_begins_alike_are_not_mixed_up(
    store: Meanwhile, folders: Iterator[Path]
) -> None:
    clustered(store, next(folders))
    projected(store, next(folders))
    store.create_collection(Collection(NAME + "2", SPACE, ""))
    assert clustering.list_runs(store, NAME + "2") == []
    collections.drop(store, NAME + "2")
    assert len(clustering.list_runs(store, NAME)) == len(projection.list_runs(store, NAME)) == 1


def test_a_dropped_collection_takes_its_runs_along(
    store: Meanwhile, folders: Iterator[Path]
) -> None:
    clustered(store, next(folders))
    projected(store, next(folders))
    collections.drop(store, NAME)
    assert store.documents("clustering") == store.documents("projection") == []


@pytest.mark.parametrize(
    ("workflow", "request_"),
    [
        (clustering, ClusteringRequest(parameters={"k": 2})),
        (projection, ProjectionRequest(method="pca")),
    ],
)
def test_a_collection_dropped_while_a_job_runs_fails_it(
    store: Meanwhile, folders: Iterator[Path], workflow: Any, request_: Any
) -> None:
    parameters = workflow.validate(store, NAME, request_)
    dropping = task(
        store,
        parameters,
        next(folders),
        before_answer=lambda: collections.drop(store, NAME),
    )
    with pytest.raises(UnknownCollection):
        workflow.run(dropping)
    assert store.documents(workflow.KIND) == []
