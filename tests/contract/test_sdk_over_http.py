"""The SDK against the real routes, over a real socket."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from lookalike import AsyncLookalike, FieldType, ImageInput, Lookalike
from lookalike import errors as sdk
from tests.fakes.service import fake_server
from tests.pictures import broken, jpeg, scene


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with fake_server(max_body_bytes=2_000_000) as started:
        yield started


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[Lookalike]:
    with Lookalike(url) as client:
        yield client


def test_embeddings_of_one_image_in_every_form_agree(client: Lookalike, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    from PIL import Image

    Image.fromarray(scene()).save(path)
    with path.open("rb") as file, Image.open(path) as picture:
        forms: list[ImageInput] = [path, str(path), path.read_bytes(), file, picture, scene()]
        embeddings = np.array([item.embedding for item in client.embed(forms)])
    np.testing.assert_allclose(embeddings, embeddings[[0] * len(forms)], atol=1e-6)


def test_a_broken_image_is_an_item_among_good_ones(client: Lookalike) -> None:
    items = client.embed([jpeg(), broken()["truncated png"].data, jpeg(seed=1)])
    assert [item.error.code if item.error else None for item in items] == [
        None,
        "truncated_image",
        None,
    ]


def test_errors_arrive_as_classes_with_their_code(client: Lookalike) -> None:
    with pytest.raises(sdk.UnknownCollection) as caught:
        client.collection("nowhere").describe()
    assert (caught.value.status, caught.value.code) == (404, "unknown_collection")
    with pytest.raises(sdk.UnknownModel):
        client.create_collection("new", model="nope")


def test_a_collection_is_filled_searched_edited_and_emptied(client: Lookalike) -> None:
    collection = client.create_collection("life", indexes={"metadata.n": "integer"})
    images = [jpeg(seed=i) for i in range(6)]
    added = collection.add(
        images, ids=[f"a/{i}" for i in range(6)], metadata=[{"n": i} for i in range(6)]
    )
    assert added.created == 6
    assert collection.search(images[3], limit=1)[0].id == "a/3"
    assert "a/3" not in [hit.id for hit in collection.search(id="a/3")]
    assert collection.update("a/3", {"n": None, "m": "x"}).metadata == {"m": "x"}
    assert collection.thumbnail("a/3").startswith(b"\xff\xd8")
    assert len(list(collection.images())) == 6
    collection.delete(["a/3"])
    assert collection.describe().points == 5
    client.delete_collection("life")


def test_every_way_to_search_is_carried_out(client: Lookalike) -> None:
    indexes: dict[str, FieldType] = {"metadata.n": "integer"}
    collection = client.create_collection("ways", indexes=indexes)
    images = [jpeg(width=300, height=200, seed=i) for i in range(51)]
    names = [f"a/{i}" for i in range(51)]
    collection.add(images, ids=names, metadata=[{"n": i % 3} for i in range(51)])
    examples = collection.search(positive=["a/1", "a/2"], negative=["a/3"], limit=51)
    assert {hit.id for hit in examples} == {*names} - {"a/1", "a/2", "a/3"}
    assert len(collection.search(positive=["a/1"], strategy="best_score", exact=True)) == 10
    assert {hit.group for hit in collection.search(id="a/1", group_by="metadata.n")} == {0, 1, 2}
    assert len(collection.search(images[4], diversity=0.3, region=(0, 0, 200, 150))) == 10
    part = collection.search(id="a/1", region=(50, 50, 200, 100))
    assert part.made_from == "thumbnail"
    first, second = collection.search_batch([{"id": "a/1", "limit": 2}, {"id": "gone"}])
    assert first.hits == collection.search(id="a/1", limit=2).hits
    assert second.error is not None
    assert [(one.value, one.count) for one in collection.facets("metadata.n")] == [
        (0, 17),
        (1, 17),
        (2, 17),
    ]
    collection.calibrate().wait(timeout=120)
    assert collection.calibration().points == 51
    assert all(hit.verdict is not None for hit in collection.search(id="a/1"))


def test_a_clustering_is_waited_for_and_read(client: Lookalike) -> None:
    collection = client.create_collection("grouped")
    collection.add([jpeg(seed=i) for i in range(12)])
    seen = list[str]()
    status = collection.cluster("kmeans", {"k": 3}).wait(
        lambda s: seen.append(s.state), timeout=120
    )
    assert status.state == "succeeded"
    assert seen[-1] == "succeeded"
    run = collection.clustering("kmeans")
    assert sum(cluster.size for cluster in run.clusters) == 12
    assert all("kmeans" in hit.clusters for hit in collection.search(jpeg(seed=1)))
    collection.delete_clustering("kmeans")
    assert not list(collection.clusterings())


def test_k_is_chosen_and_a_clustering_compared_with_a_field(client: Lookalike) -> None:
    collection = client.create_collection("chosen")
    kinds = [{"kind": "even" if i % 2 == 0 else "odd"} for i in range(12)]
    collection.add([jpeg(seed=i) for i in range(12)], metadata=kinds)
    job = collection.cluster("kmeans", {"k": [2, 4]}, criterion="davies_bouldin", stability=2)
    job.wait(timeout=120)
    run = collection.clustering("kmeans")
    assert run.sweep is not None
    assert run.sweep.k == len(run.clusters)
    assert [candidate.k for candidate in run.sweep.candidates] == [2, 3, 4]
    assert all(found.stability is not None and found.exemplars for found in run.clusters)
    assert collection.clustering_plot("kmeans").startswith(b"\x89PNG")
    found = collection.agreement("kmeans", "metadata.kind", value="odd", precision_weight=0.3)
    assert found.values == ["even", "odd"]
    assert sum(map(sum, found.confusion)) == found.points == 12
    assert found.holding is not None
    assert 0 < found.holding.quality <= 1
    with pytest.raises(sdk.InvalidField):
        collection.agreement("kmeans", "metadata.nothing")
    labels = [
        hit.clusters["kmeans"] for i in range(3) for hit in collection.search(jpeg(seed=i), limit=1)
    ]
    assigned = collection.assign("kmeans", [*(jpeg(seed=i) for i in range(3)), b"broken"])
    assert [item.label for item in assigned][:3] == labels, "as when they were indexed"
    assert all(item.confidence is not None for item in assigned.items[:3])
    assert assigned.items[3].error is not None
    assert assigned.items[3].label is None


def test_explanations_of_every_kind_are_read(client: Lookalike) -> None:
    collection = client.create_collection("explained")
    collection.add([jpeg(seed=seed) for seed in range(6)], ids=list("abcdef"))
    collection.cluster("kmeans", {"k": 2}, reduction="pca:2", name="two").wait(timeout=60)
    image = jpeg(seed=9)
    of_two = {"collection": "explained", "clustering": "two"}
    explanations = [
        client.explain(image, collection="explained", id="a"),
        client.explain(image, vector=[1.0] * 16, method="layercam"),
        client.explain(image, target="cluster", cluster=1, against=0, **of_two),  # type: ignore[call-overload]  # a dict of keywords
        client.explain(image, target="component", component=-2, **of_two),  # type: ignore[call-overload]  # a dict of keywords
        client.explain(image, target="neighbours", collection="explained", neighbours=2),
    ]
    for explanation in explanations:
        assert explanation.map.faithfulness is not None
        assert np.max(explanation.map.grid) == 1
    assert explanations[0].reference_map is not None
    assert explanations[0].reference_map.made_from == "thumbnail"
    for hit in collection.search(image, explain="similarity", limit=2):
        assert hit.explanation is not None
        assert hit.explanation.map is not None
        assert hit.explanation.query_map is not None
    card = collection.cluster_card("two", 0, exemplars=2)
    assert card.nearest == 1
    assert all(exemplar.map is not None for exemplar in card)
    assert collection.cluster_card_image("two", 0).startswith(b"\x89PNG")
    with pytest.raises(sdk.UnknownCluster):
        collection.cluster_card("two", 2)


def test_a_folder_is_indexed_and_its_broken_file_reported(
    client: Lookalike, tmp_path: Path
) -> None:
    for i in range(5):
        (tmp_path / f"{i}.jpg").write_bytes(jpeg(seed=i))
    (tmp_path / "bad.jpg").write_bytes(b"no image")
    report = client.collection("folder").index(tmp_path, progress=None)
    assert (report.created, report.failed) == (5, 1)


def test_a_body_over_the_limit_is_a_413_and_not_a_broken_pipe(client: Lookalike) -> None:
    with pytest.raises(sdk.BodyTooLarge):
        client.embed([bytes(8_000_000), bytes(8_000_000)])
    assert client.embed([jpeg()])[0].embedding is not None


def test_a_client_that_hangs_up_in_mid_body_disturbs_nobody(url: str, client: Lookalike) -> None:
    host, port = httpx.URL(url).host, httpx.URL(url).port
    for _ in range(5):
        with socket.create_connection((host, port)) as connection:
            connection.sendall(
                b"POST /v1/embed HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/jpeg\r\n"
                b"Content-Length: 100000\r\n\r\n" + jpeg()[:100]
            )
    assert client.embed([jpeg()])[0].embedding is not None
    assert client.ready().ready


async def test_the_async_client_makes_the_same_calls(url: str) -> None:
    async with AsyncLookalike(url) as client:
        collection = await client.create_collection("async")
        added = await collection.add([jpeg(seed=i) for i in range(4)], ids=list("abcd"))
        assert added.created == 4
        assert (await collection.search(jpeg(seed=2), limit=1))[0].id == "c"
        status = await (await collection.cluster("kmeans", {"k": 2})).wait(timeout=120)
        assert status.state == "succeeded"
        with pytest.raises(sdk.UnknownImage):
            await collection.image("zzz")
