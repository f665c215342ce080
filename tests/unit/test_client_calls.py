"""What the clients send, and what they make of answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookalike import AsyncLookalike, Lookalike, Region, errors
from lookalike.client import Collection
from lookalike.collection_calls import image as image_call
from tests.fakes.wire import PNG, WireService, parts, problem


@pytest.fixture
def service() -> WireService:
    return WireService()


@pytest.fixture
def client(service: WireService) -> Iterator[Lookalike]:
    with Lookalike(transport=service.transport()) as client:
        yield client


@pytest.fixture
def photos(client: Lookalike) -> Collection:
    return client.create_collection("photos", indexes={"metadata.label": "keyword"})


def test_urgency_is_said_with_every_call_and_nothing_unless_asked() -> None:
    seen = list[httpx.Headers]()

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers)
        return httpx.Response(200, json={"models": []})

    transport = httpx.MockTransport(answer)
    with Lookalike(transport=transport, priority="bulk", deadline=2.5) as client:
        client.models()
    with Lookalike(transport=transport) as client:
        client.models()
    names = ("x-priority", "x-deadline-seconds")
    assert [[headers.get(name) for name in names] for headers in seen] == [
        ["bulk", "2.5"],
        [None, None],
    ]


def answering(response: httpx.Response) -> Lookalike:
    return Lookalike(transport=httpx.MockTransport(lambda _: response), retries=0)


# -- service


def test_embeddings_come_in_order_with_maps_where_asked_for(client: Lookalike) -> None:
    found = client.embed([b"one", b"two"], explain="self")
    assert [item.index for item in found] == [0, 1]
    assert found[1].embedding == [0.6, 0.8]
    assert found[0].map is not None
    assert found[0].map.region.width == 2
    assert (found.model, found.dim, len(found)) == ("fake", 2, 2)


@pytest.mark.parametrize("images", [[b"broken"], b"broken", [b"broken", b"good"]])
def test_an_image_that_fails_is_an_item_in_a_batch_of_any_length(
    client: Lookalike, images: bytes | list[bytes]
) -> None:
    found = client.embed(images)
    assert found[0].error is not None
    assert found[0].error.code == "truncated_image"
    assert found[0].embedding is None
    assert all(item.embedding for item in found.items[1:])


def test_a_batch_that_is_refused_as_a_whole_is_raised() -> None:
    with (
        answering(problem(422, "truncated_image")) as client,
        pytest.raises(errors.TruncatedImage),
    ):
        client.embed([b"one", b"two"])


def test_an_explanation_comes_as_maps_or_as_png(client: Lookalike, service: WireService) -> None:
    alone = client.explain(b"image")
    assert (alone.target, alone.similarity, alone.reference_map) == ("self", None, None)
    pair = client.explain(b"image", b"reference")
    assert (pair.target, pair.similarity) == ("similarity", 0.5)
    assert pair.reference_map is not None
    assert client.explain(b"image", b"reference", target="similarity", as_png=True) == PNG
    assert service.requests[-1].url.params["target"] == "similarity"
    assert parts(service.requests[-1])[0] == {"image": [b"image"], "reference": [b"reference"]}


def test_the_options_of_a_target_are_sent_as_the_service_names_them(
    client: Lookalike, service: WireService
) -> None:
    found = client.explain(
        b"image",
        target="cluster",
        collection="c",
        clustering="k",
        cluster=0,
        against="none",
        method="layercam",
        layer="blocks.5",
        text=None,
    )
    assert dict(service.requests[-1].url.params) == {
        "target": "cluster",
        "collection": "c",
        "clustering": "k",
        "cluster": "0",
        "against": "none",
        "method": "layercam",
        "layer": "blocks.5",
    }
    assert (found.method, found.layer, found.about) == ("layercam", "blocks.5", {"cluster": 0})
    client.explain(b"image", target="class", class_=281, faithfulness=False)
    asked = dict(service.requests[-1].url.params)
    assert asked == {"target": "class", "class": "281", "faithfulness": "false"}
    client.explain(b"image", vector=iter([1, 0.5]))
    assert parts(service.requests[-1])[1] == {"vector": "[1.0, 0.5]"}
    client.embed([b"image"], explain="neighbours", collection="c", neighbours=3)
    asked = dict(service.requests[-1].url.params)
    assert asked == {"explain": "neighbours", "collection": "c", "neighbours": "3"}


def test_a_map_is_judged_unless_that_is_switched_off(client: Lookalike) -> None:
    judged = client.explain(b"image").map.faithfulness
    assert judged is not None
    assert (judged.verdict, judged.score) == ("faithful", 0.4)
    assert client.explain(b"image", faithfulness=False).map.faithfulness is None


def test_hits_come_with_maps_where_asked_for(photos: Collection, service: WireService) -> None:
    photos.add([b"one"])
    for query in ({"image": b"query"}, {"id": "x"}):
        hit = photos.search(**query, explain="similarity", limit=1)[0]
        assert hit.explanation is not None
        assert hit.explanation.map is not None
        assert hit.explanation.query_map is None
    assert photos.search(b"query", limit=1)[0].explanation is None
    assert "explain" not in service.requests[-1].url.params


def test_a_cluster_card_is_read_or_drawn(photos: Collection, service: WireService) -> None:
    photos.cluster("kmeans", {"k": 2}).wait(timeout=60)
    card = photos.cluster_card("kmeans", 1, exemplars=3)
    assert (card.clustering, card.label, card.nearest) == ("kmeans", 1, 1)
    assert [exemplar.id for exemplar in card] == ["a"]
    assert dict(service.requests[-1].url.params) == {"exemplars": "3"}
    assert photos.cluster_card_image("kmeans", 1) == PNG


def test_models_and_info_are_typed(client: Lookalike) -> None:
    assert client.models()[0].input_size == [224, 224]
    assert client.info().store == "embedded"


def test_jobs_are_listed_for_all_or_for_one_collection(
    client: Lookalike, photos: Collection, service: WireService
) -> None:
    photos.cluster("kmeans")
    assert [job.kind for job in client.jobs()] == ["clustering"]
    assert not service.requests[-1].url.params
    client.jobs("photos", limit=3)
    assert dict(service.requests[-1].url.params) == {"collection": "photos", "limit": "3"}


def test_a_service_that_is_not_ready_is_said_at_once() -> None:
    busy = problem(503, "not_ready", "encoder: loading; store: ok", **{"Retry-After": "1"})
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return busy

    with (
        Lookalike(transport=httpx.MockTransport(answer)) as client,
        pytest.raises(errors.NotReady, match="encoder: loading"),
    ):
        client.ready()
    assert len(asked) == 1


# -- collections and images


def test_a_collection_is_created_once_and_listed(client: Lookalike, photos: Collection) -> None:
    again = client.create_collection("photos", indexes={"metadata.label": "keyword"})
    assert again.describe() == photos.describe() == client.collections()[0]
    with pytest.raises(errors.CollectionExists):
        client.create_collection("photos")
    client.delete_collection("photos")
    assert client.collections() == []


def test_images_are_added_with_ids_metadata_and_sources(
    photos: Collection, service: WireService, tmp_path: Path
) -> None:
    path = tmp_path / "näme.jpg"
    path.write_bytes(b"one")
    added = photos.add([path, b"two"], ids=["a/1", "ü"], metadata=[{"n": 1}, {}])
    assert [(item.id, item.status) for item in added] == [("a/1", "created"), ("ü", "created")]
    assert photos.image("a/1").source == str(path)
    assert photos.image("ü").source is None
    assert photos.image("a/1").metadata == {"n": 1}
    assert photos.add(path, ids=["a/1"]).unchanged == 1


def test_a_single_image_that_fails_to_be_added_is_an_item_too(photos: Collection) -> None:
    added = photos.add(b"broken")
    assert (added.failed, added.created) == (1, 0)
    assert added[0].error is not None
    assert added[0].error.code == "truncated_image"


def test_an_error_of_the_request_is_raised_even_for_a_single_image(client: Lookalike) -> None:
    with pytest.raises(errors.UnknownCollection, match="no collection 'nowhere'"):
        client.collection("nowhere").add(b"image")


def test_lists_of_another_length_are_refused_before_anything_is_sent(
    photos: Collection, service: WireService
) -> None:
    sent = len(service.requests)
    with pytest.raises(errors.InvalidInput, match="'ids' must be a list of 2"):
        photos.add([b"one", b"two"], ids=["a"])
    with pytest.raises(errors.InvalidInput, match="'ids'"):
        photos.add([b"one", b"two"], ids="ab")
    with pytest.raises(errors.InvalidInput, match="'metadata'"):
        photos.add(b"one", metadata={"label": "x"})  # type: ignore[arg-type]  # that is the test
    assert len(service.requests) == sent


@pytest.mark.parametrize("limit", [None, 0, 1, 100, 101, 250])
def test_images_are_listed_over_pages_up_to_the_limit(
    photos: Collection, service: WireService, limit: int | None
) -> None:
    for start in (0, 110, 220):
        ids = [f"{i:03}" for i in range(start, start + 110)]
        photos.add([b"x"] * 110, ids=ids)
    listed = [image.id for image in photos.images(limit=limit)]
    assert listed == [f"{i:03}" for i in range(330)][:limit]


def test_metadata_is_merged_and_images_deleted(photos: Collection) -> None:
    photos.add([b"one", b"two"], ids=["a", "b"])
    assert photos.update("a", {"label": "x"}).metadata == {"label": "x"}
    assert photos.thumbnail("a") == b"JPEG"
    assert photos.delete(["a", "nobody"]) == 1
    with pytest.raises(errors.UnknownImage):
        photos.image("a")
    with pytest.raises(errors.InvalidInput, match="exactly one"):
        photos.delete()


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1) | st.sampled_from([".", ".."]))
def test_any_id_travels_in_the_path_and_comes_back(id: str) -> None:
    raw = httpx.URL("http://host" + image_call("c", id).path).raw_path.decode()
    assert unquote(raw) == f"/v1/collections/c/images/{id}"
    assert raw.count("/") == 5


@pytest.mark.parametrize("id", ["", "\udc80"])
def test_an_id_that_cannot_be_sent_is_refused(photos: Collection, id: str) -> None:
    with pytest.raises(errors.InvalidInput):
        photos.image(id)


# -- search


def test_a_search_by_image_sends_its_options_in_the_query(
    photos: Collection, service: WireService
) -> None:
    photos.add([b"one", b"two"], ids=["a", "b"])
    found = photos.search(b"query", limit=1, score_threshold=0.5, filter={"must": []})
    assert [(hit.id, hit.score) for hit in found] == [("a", 1.0)]
    params = dict(service.requests[-1].url.params)
    assert params == {
        "limit": "1",
        "offset": "0",
        "score_threshold": "0.5",
        "filter": '{"must": []}',
    }
    assert parts(service.requests[-1])[0] == {"image": [b"query"]}


@pytest.mark.parametrize("query", [{"id": "a"}, {"vector": (0.6, 0.8)}])
def test_a_search_by_id_or_vector_sends_its_options_as_json(
    photos: Collection, service: WireService, query: dict[str, object]
) -> None:
    photos.search(**query, limit=3)  # type: ignore[arg-type]  # one keyword of several types
    body = json.loads(service.requests[-1].content)
    assert body == json.loads(json.dumps(query)) | {"limit": 3, "offset": 0}
    assert not service.requests[-1].url.params


def test_a_search_takes_exactly_one_query(photos: Collection) -> None:
    for query in ({}, {"image": b"x", "id": "a"}):
        with pytest.raises(errors.InvalidInput, match="exactly one"):
            photos.search(**query)  # type: ignore[arg-type]  # keywords of several types


def test_the_ways_to_search_are_sent_as_they_are_given(
    photos: Collection, service: WireService
) -> None:
    photos.search(
        positive=["a", (0.6, 0.8)],
        negative=["b"],
        strategy="best_score",
        group_by="metadata.patient",
        group_size=2,
        exact=True,
    )
    body = {"positive": ["a", [0.6, 0.8]], "negative": ["b"], "strategy": "best_score"}
    choice = {"group_by": "metadata.patient", "group_size": 2, "exact": True}
    assert json.loads(service.requests[-1].content) == body | choice | {"limit": 10, "offset": 0}
    photos.search(id="a", diversity=0.5, ef=200)
    sent = json.loads(service.requests[-1].content)
    assert (sent["diversity"], sent["ef"]) == (0.5, 200)
    assert "exact" not in sent


def test_a_region_is_sent_in_the_query_with_an_image_and_in_the_body_without(
    photos: Collection, service: WireService
) -> None:
    photos.search(b"query", region=(10, 20, 30, 40))
    assert service.requests[-1].url.params["region"] == "10.0,20.0,30.0,40.0"
    found = photos.search(id="a", region=Region(10, 20, 30, 40))
    region = {"left": 10, "top": 20, "width": 30, "height": 40}
    assert json.loads(service.requests[-1].content)["region"] == region
    assert found.made_from == "thumbnail"


@pytest.mark.parametrize(
    "query",
    [
        {"image": b"x", "negative": ["a"]},
        {"positive": "a"},
        {"id": "a", "region": (1, 2, 3)},
    ],
)
def test_a_search_that_cannot_be_meant_is_not_sent(
    photos: Collection, service: WireService, query: dict[str, object]
) -> None:
    sent = len(service.requests)
    with pytest.raises(errors.InvalidInput):
        photos.search(**query)  # type: ignore[arg-type]  # keywords of several types
    assert len(service.requests) == sent


def test_a_batch_of_searches_is_answered_in_order_with_the_error_of_the_wrong_one(
    photos: Collection, service: WireService
) -> None:
    photos.add([b"one", b"two"], ids=["a", "b"])
    found = photos.search_batch([{"id": "a", "limit": 1}, {"id": "gone"}, {"vector": (0.6, 0.8)}])
    searches = json.loads(service.requests[-1].content)["searches"]
    assert searches[0] == {"id": "a", "limit": 1, "offset": 0}
    assert searches[2]["vector"] == [0.6, 0.8]
    assert [item.hits and len(item.hits) for item in found] == [1, None, 2]
    assert found[1].error is not None
    assert found[1].error.code == "unknown_image"


@pytest.mark.parametrize(
    ("search", "told"),
    [
        ({"image": b"x"}, "Search 1: an image"),
        ({"hue": 1}, "Search 1: .*hue"),
        ({}, "Search 1: .*one of"),
    ],
)
def test_a_search_that_a_batch_cannot_hold_is_named(
    photos: Collection, search: dict[str, object], told: str
) -> None:
    with pytest.raises(errors.InvalidInput, match=told):
        photos.search_batch([{"id": "a"}, search])


def test_facets_are_read_like_a_list(photos: Collection, service: WireService) -> None:
    found = photos.facets("metadata.label", filter={"must": []}, limit=5)
    assert [(one.value, one.count) for one in found] == [("a", 2), ("b", 1)]
    params = dict(service.requests[-1].url.params)
    assert params == {"field": "metadata.label", "filter": '{"must": []}', "limit": "5"}


def test_a_calibration_is_waited_for_and_then_told_with_the_hits(photos: Collection) -> None:
    photos.add([b"one", b"two"], ids=["a", "b"])
    assert photos.search(id="a").calibration is None
    assert photos.search(id="a")[0].verdict is None
    with pytest.raises(errors.UnknownCalibration):
        photos.calibration()
    assert photos.calibrate().wait(timeout=60).kind == "calibration"
    assert photos.calibration().similar == 0.675
    found = photos.search(id="a")
    assert found.calibration is not None
    assert found.calibration.stale
    assert (found[0].verdict, found[0].chance) == ("similar", 0.001)


# -- clusterings and projections


def test_a_clustering_is_waited_for_and_read(photos: Collection, service: WireService) -> None:
    job = photos.cluster("hdbscan", {"min_cluster_size": 5}, reduction="pca:50", seed=7)
    seen: list[str] = []
    status = job.wait(lambda status: seen.append(status.state), timeout=60)
    assert seen == ["queued", "running", "succeeded"]
    assert status == job.status
    body = next(
        json.loads(r.content) for r in service.requests if r.url.path.endswith("clusterings")
    )
    parameters = {"algorithm": "hdbscan", "parameters": {"min_cluster_size": 5}, "seed": 7}
    assert body == parameters | {"reduction": "pca:50"}
    found = photos.clustering("hdbscan")
    assert found.clusters[0].medoid == "a/[x].jpg"
    assert photos.clusterings() == [found]


def test_a_projection_is_waited_for_read_drawn_and_added_to(photos: Collection) -> None:
    photos.project("pca", dimensions=2).wait()
    points = photos.projection("pca")
    assert dict(zip(points.ids, points.coordinates, strict=True)) == {"a": [0, 1], "b": [1, 0]}
    assert photos.projections()[0].diagnostics == {"trustworthiness": 0.75}
    assert photos.projection_image("pca", color="metadata.label") == PNG
    assert photos.projection_image("pca", thumbnails=True) == PNG
    assert photos.place("pca", [b"x", b"y"])[1].coordinates == [0.0, 1.0]


def test_a_job_that_fails_raises_its_own_error(photos: Collection) -> None:
    with pytest.raises(errors.InvalidParameters, match="k is 9"):
        photos.cluster("fails").wait()


def test_a_cancelled_job_is_said_to_be(client: Lookalike, photos: Collection) -> None:
    job = photos.cluster()
    job.cancel()
    with pytest.raises(errors.JobCancelled):
        client.job(job.id).wait()
    assert client.jobs()[0].state == "cancelled"


def test_waiting_ends_with_its_timeout_and_leaves_the_job_running(photos: Collection) -> None:
    job = photos.cluster()
    with pytest.raises(errors.TimedOut, match="it goes on"):
        job.wait(timeout=0)
    assert job.wait().state == "succeeded"


# -- answers that are not the service's


def test_an_error_of_an_unknown_code_keeps_its_code() -> None:
    teapot = problem(418, "teapot", "short and stout")
    with answering(teapot) as client, pytest.raises(errors.LookalikeError) as caught:
        client.info()
    assert type(caught.value) is errors.LookalikeError
    assert (caught.value.code, caught.value.status) == ("teapot", 418)
    assert str(caught.value) == "teapot: short and stout"


def test_another_server_at_the_url_is_recognised() -> None:
    page = httpx.Response(404, text="<h1>nginx</h1>")
    with answering(page) as client, pytest.raises(errors.LookalikeError) as caught:
        client.info()
    assert "another server" in caught.value.detail
    assert "nginx" in caught.value.detail
    assert caught.value.code == "http_404"


@pytest.mark.parametrize("body", ["<html>", "[]", "{}", '{"models": 3}'])
def test_an_answer_of_another_shape_is_an_error_not_a_surprise(body: str) -> None:
    with answering(httpx.Response(200, text=body)) as client:
        for ask in (client.info, client.models, lambda: client.collection("x").delete(["a"])):
            with pytest.raises(errors.UnexpectedAnswer):
                ask()


def test_fields_of_a_newer_service_are_ignored() -> None:
    known = {"version": "9", "model": "m", "device": "cpu", "dtype": "float32", "store": "qdrant"}
    with answering(httpx.Response(200, json=known | {"new": 1})) as client:
        assert client.info().version == "9"


# -- settings


def test_url_and_key_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOKALIKE_URL", "http://example.test:1234/base/")
    monkeypatch.setenv("LOOKALIKE_API_KEY", "secret")
    service = WireService(failures=[httpx.Response(200, json={"models": []})])
    with Lookalike(transport=service.transport()) as client:
        client.models()
    request = service.requests[0]
    assert str(request.url) == "http://example.test:1234/base/v1/models"
    assert request.headers["authorization"] == "Bearer secret"


def test_arguments_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOKALIKE_URL", "http://example.test")
    with Lookalike("http://other.test") as client:
        assert client.url == "http://other.test"


def test_a_url_without_its_scheme_is_refused() -> None:
    with pytest.raises(errors.InvalidInput, match="http://"):
        Lookalike("localhost:3000")


# -- the async client


async def test_the_async_client_does_the_same(service: WireService) -> None:
    async with AsyncLookalike(transport=service.transport()) as client:
        photos = await client.create_collection("photos")
        await photos.add([b"one"] * 150, ids=[str(i) for i in range(150)])
        assert [image.id async for image in photos.images(limit=120)] == [
            str(i) for i in range(120)
        ]
        assert (await photos.search(b"query", limit=2))[1].id == "1"
        assert (await client.embed(b"broken"))[0].error is not None
        assert await client.explain(b"image", as_png=True) == PNG
        job = await photos.cluster("kmeans", {"k": 2})
        assert (await job.wait(timeout=60)).state == "succeeded"
        with pytest.raises(errors.InvalidParameters):
            await (await photos.cluster("fails")).wait()
        with pytest.raises(errors.TimedOut):
            await (await photos.project()).wait(timeout=0)
        assert (await client.job(job.id)).status == job.status
