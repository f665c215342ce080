"""What is said of clusterings, and two of them compared."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lookalike_service.errors import InvalidParameters, UnknownCluster, UnknownClustering
from lookalike_service.schemas.cluster_versions import ClusteringPatch, NamingRequest
from lookalike_service.workflows import cluster_naming, cluster_notes, clustering, lineage
from lookalike_service.workflows.nouns import NOUNS
from tests.fakes.analyses import CLOUD, NAME, Meanwhile, clustered, numbered, two_blobs
from tests.fakes.encoder import FakeEncoder
from tests.fakes.service import FakeService, fake_service
from tests.pictures import jpeg


@pytest.fixture
def store() -> Meanwhile:
    return two_blobs()


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Path]:
    return numbered(tmp_path)


def said(store: Meanwhile, patch: dict[str, Any]) -> Any:
    run = clustering.get(store, NAME, "kmeans")
    return cluster_notes.annotate(store, NAME, run, ClusteringPatch.model_validate(patch))


# -- names and descriptions


def test_what_is_said_of_clusters_is_read_with_the_run(
    store: Meanwhile, folders: Iterator[Path]
) -> None:
    clustered(store, next(folders))
    said(store, {"description": "Two.", "clusters": {"0": {"name": " cats ", "description": "a"}}})
    said(store, {"clusters": {"1": {"name": "dogs"}, "0": {"description": None}}})
    run = clustering.get(store, NAME, "kmeans")
    assert run.description == "Two."
    assert [(c.name, c.description) for c in run.clusters] == [("cats", None), ("dogs", None)]
    assert clustering.list_runs(store, NAME) == [run]


def test_a_label_that_is_none_is_refused_and_nothing_is_said(
    store: Meanwhile, folders: Iterator[Path]
) -> None:
    clustered(store, next(folders))
    for label in (-1, 2):
        with pytest.raises(UnknownCluster, match="its clusters are: 0 to 1"):
            said(store, {"clusters": {"0": {"name": "x"}, str(label): {"name": "y"}}})
    assert clustering.get(store, NAME, "kmeans").clusters[0].name is None


def test_a_run_made_anew_begins_without_names(store: Meanwhile, folders: Iterator[Path]) -> None:
    first = clustered(store, next(folders))
    said(store, {"clusters": {"0": {"name": "cats"}}})
    second = clustered(store, next(folders))
    assert first.run != second.run
    assert clustering.get(store, NAME, "kmeans").clusters[0].name is None


def test_what_was_said_goes_with_the_run(store: Meanwhile, folders: Iterator[Path]) -> None:
    clustered(store, next(folders))
    said(store, {"description": "Two."})
    clustering.delete(store, NAME, "kmeans")
    assert store.documents(cluster_notes.KIND) == []


# -- words


def test_words_are_distinct_and_told_apart_from_what_all_have_in_common() -> None:
    # All are photos; the first is the cattiest, though "photo" suits it better in itself.
    cosines = np.array([[0.9, 0.5, 0.3], [0.9, 0.4, 0.4]])
    scores = cluster_naming.suitability(cosines, np.array([1.0, 1.0]))
    assert cluster_naming.choose_words(scores) == [1, 2]
    np.testing.assert_allclose(scores, [[0, 0.05, -0.05], [0, -0.05, 0.05]])


def test_a_lone_cluster_has_the_nearest_word_and_more_clusters_than_words_share() -> None:
    alone = cluster_naming.suitability(np.array([[0.1, 0.4, 0.2]]), np.array([5.0]))
    assert cluster_naming.choose_words(alone) == [1]
    many = cluster_naming.suitability(np.array([[0.1, 0.4], [0.1, 0.5], [0.3, 0.1]]), np.ones(3))
    assert cluster_naming.choose_words(many) == [1, 1, 0]


def test_the_bundled_words_are_in_order_without_repetition() -> None:
    assert list(NOUNS) == sorted(set(NOUNS))
    assert all(NOUNS)


class _Words:
    """Embeds the texts "a thing called X" as the direction of the blob that X stands for."""

    async def embed_texts(self, _: Any, texts: Sequence[str]) -> NDArray[np.float32]:
        axes = {"a thing called cat": 0, "a thing called dog": 1}
        return np.stack([np.eye(8, dtype=np.float32)[axes.get(text, 7)] for text in texts])


async def test_clusters_are_named_and_names_given_by_hand_are_kept(
    store: Meanwhile, folders: Iterator[Path]
) -> None:
    clustered(store, next(folders))
    words = {"words": ["tree", "dog", "cat"], "template": "a thing called {}"}

    async def named(**more: Any) -> list[str]:
        found = await cluster_naming.name_clusters(
            store,
            _Words(),  # type: ignore[arg-type] # all of an embedder that is used
            FakeEncoder(),
            NAME,
            "kmeans",
            request=NamingRequest.model_validate(words | more),
        )
        assert found.clusters[0].suggestions[0].word == "cat"
        return [cluster.name for cluster in found.clusters]

    assert np.argmax(CLOUD.points[CLOUD.truth == 0].mean(axis=0)) == 0, "the larger is the first"
    assert await named() == ["cat", "dog"]
    said(store, {"clusters": {"1": {"name": "wolves"}}})
    assert await named() == ["cat", "wolves"]
    assert await named(keep=False) == ["cat", "dog"]
    assert [c.name for c in clustering.get(store, NAME, "kmeans").clusters] == ["cat", "dog"]


# -- lineage


def test_two_runs_are_compared_by_the_images_in_both(
    store: Meanwhile, folders: Iterator[Path]
) -> None:
    clustered(store, next(folders), name="two")
    clustered(
        store,
        next(folders),
        name="four",
        parameters={"k": 4},
        filter={"must_not": [{"has_id": ["0", "1", "2"]}]},
    )
    found = lineage.compare(store, NAME, "two", "four")
    assert (found.points, found.only, found.only_later) == (47, 3, 0)
    assert np.array(found.overlap).sum() == 47
    assert sum(flow.images for flow in found.flows) == 47
    assert [flow.images for flow in found.flows] == sorted(
        (flow.images for flow in found.flows), reverse=True
    )
    assert [c.size for c in found.run.clusters] == np.array(found.overlap).sum(axis=1).tolist()
    back = lineage.compare(store, NAME, "four", "two")
    assert back.overlap == np.array(found.overlap).T.tolist()
    assert {fate.event for fate in back.fates} <= {"kept", "moved", "merged"}
    assert [fate.label for fate in found.fates] == [0, 1]


def test_runs_without_a_common_image_cannot_be_compared(
    store: Meanwhile, folders: Iterator[Path]
) -> None:
    for name in "ab":
        only = {"must": [{"key": "metadata.label", "match": {"value": name}}]}
        clustered(store, next(folders), name=name, filter=only)
    with pytest.raises(InvalidParameters, match="No image is in both 'a' and 'b'"):
        lineage.compare(store, NAME, "a", "b")
    with pytest.raises(UnknownClustering, match="it has: a, b"):
        lineage.compare(store, NAME, "a", "c")


def test_runs_of_too_many_clusters_are_not_compared(
    store: Meanwhile, folders: Iterator[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "ab":
        clustered(store, next(folders), name=name, parameters={"k": 3})
    monkeypatch.setattr(lineage, "_MOST_PAIRS", 8)
    with pytest.raises(InvalidParameters, match="up to 8 pairs of clusters can be compared"):
        lineage.compare(store, NAME, "a", "b")


# -- over HTTP


@pytest.fixture
def service(folders: Iterator[Path]) -> Iterator[FakeService]:
    with fake_service() as started:
        assert started.client.put("/v1/collections/c", json={}).is_success
        files = [("images", jpeg(seed=i)) for i in range(4)]
        assert started.client.post("/v1/collections/c/images", files=files).is_success
        clustered(started.store, next(folders), name="two")
        yield started


RUNS = "/v1/collections/c/clusterings"


def test_clusters_are_named_over_http(service: FakeService) -> None:
    patch = {"clusters": {"1": {"name": "cats"}}}
    answer = service.client.patch(f"{RUNS}/two", json=patch).json()
    assert answer["clusters"][1]["name"] == "cats"
    assert answer == service.client.get(f"{RUNS}/two").json()
    assert service.client.get(f"{RUNS}/two/clusters/1").json()["name"] == "cats"
    wrong = service.client.patch(f"{RUNS}/two", json={"clusters": {"7": {"name": "x"}}})
    assert (wrong.status_code, wrong.json()["code"]) == (404, "unknown_cluster")
    empty = service.client.patch(f"{RUNS}/two", json={"clusters": {"0": {"name": " "}}})
    assert (empty.status_code, empty.json()["code"]) == (422, "invalid_field")


def test_words_of_an_encoder_without_text_are_refused_naming_some_with(
    service: FakeService,
) -> None:
    answer = service.client.post(f"{RUNS}/two/names", json={})
    assert (answer.status_code, answer.json()["code"]) == (422, "unsupported_text")
    assert "open_clip" in answer.json()["detail"]


def test_a_run_is_its_own_descendant_over_http(service: FakeService) -> None:
    answer = service.client.get(f"{RUNS}/two/lineage", params={"later": "two"})
    assert answer.status_code == 200, answer.text
    assert {fate["event"] for fate in answer.json()["fates"]} == {"kept"}
    missing = service.client.get(f"{RUNS}/two/lineage")
    assert (missing.status_code, missing.json()["code"]) == (422, "missing_part")
