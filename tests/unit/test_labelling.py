"""Images indexed after a clustering was made get its labels, and tell how well they fit."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lookalike_service.analysis.clustering.algorithms import cluster
from lookalike_service.analysis.clustering.confidence import low_confidence
from lookalike_service.schemas.clusterings import ClusteringRequest
from lookalike_service.store.labels import confidence_of
from lookalike_service.store.protocol import Point, point_id
from lookalike_service.workflows import clustering, collections, labelling
from tests.clouds import blobs, unit
from tests.fakes.analyses import (
    CLOUD,
    NAME,
    ONLY_A,
    Meanwhile,
    clustered,
    labels,
    numbered,
    point,
    task,
    two_blobs,
)
from tests.fakes.service import fake_service
from tests.pictures import jpeg

A, B = CLOUD.points[CLOUD.truth == 0], CLOUD.points[CLOUD.truth == 1]
STRANGE = unit(np.ones((1, 8)))[0]


@pytest.fixture
def store() -> Meanwhile:
    return two_blobs()


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Path]:
    return numbered(tmp_path)


def index(
    store: Meanwhile, key: str, vectors: Sequence[NDArray[np.float32]], **metadata: Any
) -> list[str]:
    """Write new images as ingest does; their keys."""
    keys = [f"{key} {i}" for i in range(len(vectors))]
    store.upsert(
        NAME, [point(k, vector, **metadata) for k, vector in zip(keys, vectors, strict=True)]
    )
    labelling.label_new(store, store.collection(NAME), {point_id(k): {} for k in keys})
    return keys


def confidences(store: Meanwhile, keys: Sequence[str]) -> list[float]:
    records = store.retrieve(NAME, [point_id(key) for key in keys])
    return [record.payload["confidences"]["kmeans"] for record in records]


@pytest.mark.parametrize("reduction", [None, "pca:2"])
def test_new_images_get_a_label_and_a_confidence_by_which_they_are_found(
    store: Meanwhile, folders: Iterator[Path], reduction: str | None
) -> None:
    clustered(store, next(folders), reduction=reduction)
    (a,), (b,), (odd,) = (
        index(store, key, [v]) for key, v in (("a", A[0]), ("b", B[0]), ("odd", STRANGE))
    )
    written = labels(store)
    assert (written[a], written[b]) == (0, 1)
    (sure, unsure) = confidences(store, [a, odd])
    assert unsure < 0.2
    assert sure > 0.7
    second = {"must": [{"key": "clusters.kmeans", "match": {"value": 1}}]}
    assert {r.payload["key"] for r in store.scroll(NAME, filter=second)[0]} >= {b}
    fitted = store.retrieve(NAME, [point_id("0")])[0].payload
    assert "confidences" not in fitted, "it was there when the clustering was made"
    assert set(fitted["clusters"]) == {"kmeans"}


def test_images_outside_the_filter_of_a_clustering_get_no_label(
    store: Meanwhile, folders: Iterator[Path]
) -> None:
    clustered(store, next(folders), filter=ONLY_A)
    index(store, "in", [A[0]], label="a")
    index(store, "out", [A[1]], label="b")
    written = labels(store)
    assert "in 0" in written
    assert "out 0" not in written


def test_a_clustering_that_does_not_follow_labels_nothing(
    store: Meanwhile, folders: Iterator[Path]
) -> None:
    run = clustered(store, next(folders), follow=False)
    index(store, "new", [A[0]])
    assert "new 0" not in labels(store)
    assert clustering.describe(store, NAME, "kmeans").drift is None
    assert run.drift is None


def test_several_clusterings_label_side_by_side(store: Meanwhile, folders: Iterator[Path]) -> None:
    clustered(store, next(folders), name="two")
    clustered(store, next(folders), name="five", parameters={"k": 5})
    index(store, "new", [A[0]])
    assert set(store.retrieve(NAME, [point_id("new 0")])[0].payload["clusters"]) == {"two", "five"}


def test_what_an_image_has_is_left(store: Meanwhile, folders: Iterator[Path]) -> None:
    clustered(store, next(folders))
    store.write_labels(NAME, "kmeans", [point_id("0")], np.array([7]))
    labelling.label_new(store, store.collection(NAME), {point_id("0"): {"kmeans": 7}})
    assert labels(store)["0"] == 7


def test_images_indexed_while_a_clustering_is_made_are_labelled_by_it_in_the_end(
    store: Meanwhile, folders: Iterator[Path]
) -> None:
    clustered(store, next(folders))
    early: list[str] = []

    def meanwhile() -> None:
        store.before_vectors = lambda: None
        early.extend(index(store, "early", [A[0], B[0]]))

    store.before_vectors = meanwhile
    assert clustered(store, next(folders), parameters={"k": 5}).points == 50
    direct = index(store, "late", [A[0], B[0]])
    written = labels(store)
    assert [written[key] for key in early] == [written[key] for key in direct]


@pytest.mark.parametrize("moment", ["label", "confidence"])
def test_a_label_given_by_a_run_that_is_just_replaced_gives_way_to_the_new_ones(
    store: Meanwhile, folders: Iterator[Path], monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """The job writes its labels between our reading of the former run and our writing."""
    clustered(store, next(folders), parameters={"k": 5})
    write = store.write_labels
    about = "kmeans" if moment == "label" else confidence_of("kmeans")
    busy = list[bool]()

    def interrupted(name: str, clustering_: str, ids: Any, given: Any, **options: Any) -> None:
        if clustering_ == about and len(ids) == 1 and not busy:
            busy.append(True)
            clustered(store, next(folders), parameters={"k": 2})
        write(name, clustering_, ids, given, **options)

    monkeypatch.setattr(store, "write_labels", interrupted)
    index(store, "new", [B[0]])
    assert busy
    assert labels(store)["new 0"] == 1, "of the five of the former run it would be another"
    assert set(labels(store).values()) == {0, 1}


def test_no_label_outlives_a_clustering_dropped_while_it_was_given(
    store: Meanwhile, folders: Iterator[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    clustered(store, next(folders))
    write = store.write_labels

    def interrupted(name: str, clustering_: str, ids: Any, given: Any, **options: Any) -> None:
        if clustering_ == "kmeans":
            clustering.delete(store, NAME, "kmeans")
        write(name, clustering_, ids, given, **options)

    monkeypatch.setattr(store, "write_labels", interrupted)
    index(store, "new", [A[0]])
    assert labels(store) == {}
    assert store.facets(NAME, f"clusters.{confidence_of('kmeans')}") == []


def test_a_dropped_collection_is_followed_no_more(
    store: Meanwhile, folders: Iterator[Path]
) -> None:
    clustered(store, next(folders))
    collections.drop(store, NAME)
    assert store.documents(labelling.KIND) == []


# -- drift


def test_images_like_those_clustered_are_no_drift_and_others_are(
    store: Meanwhile, folders: Iterator[Path]
) -> None:
    clustered(store, next(folders))
    fresh = blobs(30, 30, seed=5).points
    keys = index(store, "like", list(fresh))
    drift = clustering.describe(store, NAME, "kmeans").drift
    assert drift is not None
    assert drift.images == 60
    assert drift.share is not None
    assert drift.share < 0.15
    assert not drift.recluster
    assert drift.low == sum(value <= drift.threshold for value in confidences(store, keys))
    index(store, "odd", [STRANGE] * 30)
    drifted = clustering.describe(store, NAME, "kmeans").drift
    assert drifted is not None
    assert drifted.low == drift.low + 30
    assert drifted.recluster
    clustered(store, next(folders))
    anew = clustering.describe(store, NAME, "kmeans").drift
    assert anew is not None
    assert (anew.images, anew.share, anew.recluster) == (0, None, False)


def test_few_images_tell_nothing(store: Meanwhile, folders: Iterator[Path]) -> None:
    clustered(store, next(folders))
    index(store, "odd", [STRANGE] * 29)
    drift = clustering.describe(store, NAME, "kmeans").drift
    assert drift is not None
    assert drift.share == 1
    assert not drift.recluster


@pytest.mark.parametrize(
    ("algorithm", "parameters"),
    [("kmeans", {"k": 3}), ("gaussian_mixture", {"k": 3}), ("hdbscan", {}), ("leiden", {})],
)
def test_as_many_are_of_low_confidence_as_expected_among_images_of_the_same_kind(
    algorithm: str, parameters: dict[str, Any]
) -> None:
    cloud = blobs(200, 150, 100, width=0.15, seed=1)
    fit = cluster(cloud.points, algorithm, parameters)
    threshold, expected = low_confidence(fit.assigner, cloud.points, fit.labels, seed=0)
    found, sure = fit.assigner.place(blobs(200, 150, 100, width=0.15, seed=2).points)
    assert ((found == -1) | (sure <= threshold)).mean() == pytest.approx(expected, abs=0.06)
    assert expected >= 0.05 * (fit.labels >= 0).mean()


def test_everything_is_unexpected_of_a_clustering_of_noise_alone() -> None:
    points = blobs(3, 3).points
    fit = cluster(points, "dbscan", {"eps": 1e-6, "min_samples": 5})
    assert low_confidence(fit.assigner, points, fit.labels, seed=0) == (0, 1)


# -- over HTTP


def test_indexing_answers_with_labels_in_place_and_indexing_again_gives_those_that_lack(
    folders: Iterator[Path],
) -> None:
    with fake_service() as service:
        client, store = service.client, service.store
        assert client.put("/v1/collections/c", json={}).is_success

        def add(seeds: Sequence[int]) -> None:
            files = [("images", jpeg(seed=i)) for i in seeds]
            data = {"ids": json.dumps([f"i{i}" for i in seeds])}
            answer = client.post("/v1/collections/c/images", files=files, data=data)
            assert answer.is_success, answer.text

        def image(key: str) -> Any:
            return client.get(f"/v1/collections/c/images/{key}").json()

        add(range(4))
        clustered(store, next(folders))
        add([5])
        assert 0 <= image("i5")["confidences"]["kmeans"] <= 1
        assert image("i5")["clusters"]["kmeans"] in (0, 1)
        assert image("i1")["confidences"] == {}
        described = client.get("/v1/collections/c/clusterings/kmeans").json()
        assert described["drift"]["images"] == 1
        assert client.get("/v1/collections/c/clusterings").json()["clusterings"] == [described]
        # As a crash between writing the image and its label would leave it.
        store.upsert("c", [point_without_labels(store, "i5")])
        assert image("i5")["clusters"] == {}
        add([5])
        assert image("i5")["clusters"]["kmeans"] in (0, 1)


def point_without_labels(store: Any, key: str) -> Point:
    (record,) = store.retrieve("c", [point_id(key)], vectors=True, thumbnails=True)
    kept = {k: v for k, v in record.payload.items() if k not in ("clusters", "confidences")}
    return Point(record.id, record.vector, kept)


def test_a_job_made_by_an_older_version_is_read_without_run_and_drift(
    store: Meanwhile, folders: Iterator[Path]
) -> None:
    parameters = clustering.validate(store, NAME, ClusteringRequest(parameters={"k": 2}))
    clustering.run(task(store, parameters, next(folders)))
    body = store.document(clustering.KIND, f"{NAME}/kmeans") or {}
    for field in ("run", "drift", "description"):
        del body[field]
    store.put_document(clustering.KIND, f"{NAME}/kmeans", body)
    assert clustering.describe(store, NAME, "kmeans").drift is None
