"""Explanations through the HTTP service: every target, every form, searches and cluster cards."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lookalike_service.explain.faithfulness import PASSES
from lookalike_service.explain.gradcam import closed_form_map
from lookalike_service.explain.objectives import Along, Norm
from lookalike_service.store.protocol import point_id
from lookalike_service.workflows import clustering, projection, runs
from tests.fakes.service import FakeService, fake_service
from tests.pictures import encoded, jpeg, rotated_jpeg

C = "/v1/collections/c"
IDS = ("a", "b", "c", "d", "e", "f")
LABELS = (0, 0, 0, 1, 1, -1)


@pytest.fixture(scope="module")
def service() -> Iterator[FakeService]:
    """Six images, a clustering `two` of them into 0, 1 and noise, reduced by PCA, and two projections."""
    with fake_service() as started:
        assert started.client.put(C, json={}).status_code == 201
        files = [("images", jpeg(seed=seed)) for seed, _ in enumerate(IDS)]
        started.client.post(f"{C}/images", files=files, data={"ids": json.dumps(IDS)})
        keep_runs(started)
        yield started


def vectors(service: FakeService) -> NDArray[np.float32]:
    records = service.store.retrieve("c", [point_id(id) for id in IDS], vectors=True)
    return np.stack([record.vector for record in records if record.vector is not None])


def unit(vector: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.asarray(vector / np.linalg.norm(vector))


def centroids(service: FakeService) -> NDArray[np.float32]:
    found = vectors(service)
    return np.stack([unit(found[np.equal(LABELS, label)].mean(axis=0)) for label in (0, 1)])


def axes(service: FakeService) -> NDArray[np.float32]:
    found = vectors(service)
    return np.asarray(np.linalg.svd(found - found.mean(axis=0))[2][:2])


def keep_runs(service: FakeService) -> None:
    """What jobs would have left."""
    store, mean = service.store, vectors(service).mean(axis=0)
    space = store.collection("c").space.id
    labels = np.array(LABELS)
    store.write_labels("c", "two", [point_id(id) for id in IDS], labels)
    common = {
        "filter": None,
        "seed": 0,
        "space": space,
        "points": 6,
        "created_at": "",
        "seconds": 0,
    }
    clusters = [
        {"label": 0, "size": 3, "medoid": "a", "spread": 0.1},
        {"label": 1, "size": 2, "medoid": "d", "spread": 0.2},
    ]
    run = {"name": "two", "algorithm": "kmeans", "parameters": {}, "reduction": "pca:2", "noise": 1}
    body = common | run | {"clusters": clusters, "diagnostics": {}}
    store.put_document(clustering.KIND, runs.key("c", "two"), body)
    components = {"mean": mean, "components": axes(service)}
    arrays = {"labels": labels, "centroids": centroids(service), **components}
    store.put_arrays(clustering.KIND, runs.key("c", "two"), arrays)
    for method in ("pca", "umap"):
        run = {"name": method, "method": method, "dimensions": 3, "parameters": {}}
        store.put_document(
            projection.KIND, runs.key("c", method), common | run | {"diagnostics": {}}
        )
    filled = np.vstack([axes(service), np.zeros_like(mean)])
    store.put_arrays(projection.KIND, runs.key("c", "pca"), {"mean": mean, "components": filled})
    store.put_arrays(projection.KIND, runs.key("c", "umap"), {"coordinates": np.zeros((6, 3))})


def explain(
    service: FakeService,
    parameters: dict[str, Any] | None = None,
    files: dict[str, bytes] | None = None,
    accept: str = "application/json",
    **data: str,
) -> Any:
    files = files or {"image": jpeg(seed=9)}
    headers = {"accept": accept}
    query = {"faithfulness": False} | (parameters or {})
    return service.client.post("/v1/explain", params=query, files=files, data=data, headers=headers)


def seen(service: FakeService, data: bytes) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Embedding and feature maps of an image."""
    rgb = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    encoded = service.encoder.encode(service.encoder.preprocess(rgb)[None], features=True)
    assert encoded.features is not None
    return encoded.embeddings[0], encoded.features[0]


def check_along(service: FakeService, answer: Any, direction: NDArray[np.floating]) -> None:
    """The map is the one for this direction, of the image of seed 9."""
    _, features = seen(service, jpeg(seed=9))
    expected = closed_form_map(features, Along(direction))
    np.testing.assert_allclose(answer["map"]["grid"], expected.grid, atol=1e-4)
    assert answer["map"]["peak"] == pytest.approx(expected.peak, rel=1e-3)
    assert not answer["map"]["empty"]


# -- targets


def test_alone_an_image_is_explained_by_itself(service: FakeService) -> None:
    answer = explain(service).json()
    _, features = seen(service, jpeg(seed=9))
    expected = closed_form_map(features, Norm())
    assert (answer["target"], answer["method"], answer["layer"]) == ("self", "gradcam", None)
    assert answer["value"] == pytest.approx(np.linalg.norm(features.mean(axis=(1, 2))), rel=1e-4)
    np.testing.assert_allclose(answer["map"]["grid"], expected.grid, atol=1e-5)
    assert answer["map"]["made_from"] == "image"
    assert answer["reference_map"] is None


def test_a_likeness_to_a_second_image_has_maps_on_both(service: FakeService) -> None:
    answer = explain(service, files={"image": jpeg(seed=9), "reference": jpeg(seed=8)}).json()
    other, other_features = seen(service, jpeg(seed=8))
    embedding, _ = seen(service, jpeg(seed=9))
    check_along(service, answer, other)
    mirrored = closed_form_map(other_features, Along(embedding))
    np.testing.assert_allclose(answer["reference_map"]["grid"], mirrored.grid, atol=1e-4)
    assert answer["similarity"] == answer["value"] == pytest.approx(embedding @ other, abs=1e-5)


def test_a_likeness_to_an_indexed_image_uses_its_vector_and_shows_its_thumbnail() -> None:
    with fake_service() as service:
        service.client.put(C, json={})
        service.client.post(
            f"{C}/images", files={"images": jpeg(900, 500, seed=1)}, data={"ids": '["x"]'}
        )
        answer = explain(service, {"collection": "c", "id": "x"}).json()
        record = service.store.retrieve("c", [point_id("x")], vectors=True)[0]
        assert record.vector is not None
        check_along(service, answer, record.vector)
        reference = answer["reference_map"]
        assert reference["made_from"] == "thumbnail"
        assert (reference["image_width"], reference["image_height"]) == (900, 500)
        # Once the image itself was explained, its own features are at hand.
        explain(service, files={"image": jpeg(900, 500, seed=1)})
        again = explain(service, {"collection": "c", "id": "x"}).json()
        assert again["reference_map"]["made_from"] == "image"


def test_a_likeness_to_a_vector_has_one_map(service: FakeService) -> None:
    vector = np.random.default_rng(0).normal(size=16)
    answer = explain(service, vector=json.dumps(vector.tolist())).json()
    check_along(service, answer, unit(vector))
    embedding, _ = seen(service, jpeg(seed=9))
    assert answer["similarity"] == pytest.approx(unit(vector) @ embedding, abs=1e-5)
    assert answer["reference_map"] is None


@pytest.mark.parametrize("source", [{"projection": "pca"}, {"clustering": "two"}])
@pytest.mark.parametrize("number", [1, 2, -1])
def test_a_component_is_explained_on_either_side(
    service: FakeService, source: dict[str, str], number: int
) -> None:
    query = {"target": "component", "collection": "c", "component": number, **source}
    answer = explain(service, query).json()
    axis = np.sign(number) * axes(service)[abs(number) - 1]
    check_along(service, answer, axis)
    embedding, _ = seen(service, jpeg(seed=9))
    coordinate = axis @ (embedding - vectors(service).mean(axis=0))
    assert answer["value"] == pytest.approx(coordinate, abs=1e-5)
    assert answer["about"] == {"component": number}


@pytest.mark.parametrize(
    ("against", "other"),
    [({}, 1), ({"against": "nearest"}, 1), ({"against": 1}, 1), ({"against": "none"}, None)],
)
def test_a_cluster_is_explained_against_another(
    service: FakeService, against: dict[str, Any], other: int | None
) -> None:
    query = {"target": "cluster", "collection": "c", "clustering": "two", "cluster": 0}
    answer = explain(service, query | against).json()
    here, there = centroids(service)
    check_along(service, answer, here if other is None else here - there)
    assert answer["about"] == {"cluster": 0, "against": other}


def test_the_neighbours_are_explained_by_their_mean(service: FakeService) -> None:
    query = {"target": "neighbours", "collection": "c", "neighbours": 3}
    answer = explain(service, query).json()
    embedding, _ = seen(service, jpeg(seed=9))
    found = vectors(service)
    order = np.argsort(-(found @ embedding))[:3]
    assert answer["about"]["neighbours"] == [IDS[i] for i in order]
    check_along(service, answer, unit(found[order].mean(axis=0)))


def test_an_indexed_image_is_not_its_own_neighbour(service: FakeService) -> None:
    query = {"target": "neighbours", "collection": "c", "neighbours": 1}
    answer = explain(service, query, {"image": jpeg(seed=1)}).json()
    assert answer["about"]["neighbours"] != ["b"]
    assert len(answer["about"]["neighbours"]) == 1


@pytest.mark.parametrize("method", ["gradcam", "hirescam", "gradcam++", "layercam", "eigencam"])
def test_every_method_is_served(service: FakeService, method: str) -> None:
    answer = explain(service, {"method": method}).json()
    _, features = seen(service, jpeg(seed=9))
    expected = closed_form_map(features, Norm(), method)
    assert answer["method"] == method
    np.testing.assert_allclose(answer["map"]["grid"], expected.grid, atol=1e-5)


# -- forms


def test_the_raw_map_is_a_float_array_before_scaling(service: FakeService) -> None:
    answer = explain(service).json()["map"]
    alone = np.load(io.BytesIO(explain(service, accept="application/x-npy").content))
    assert alone.dtype == np.float32
    np.testing.assert_allclose(alone, np.array(answer["grid"]) * answer["peak"], rtol=1e-5)
    both = {"image": jpeg(seed=9), "reference": jpeg(seed=8)}
    pair = np.load(io.BytesIO(explain(service, files=both, accept="application/x-npy").content))
    assert pair.shape == (2, 4, 4)


@pytest.mark.parametrize("query", [{}, {"collection": "c", "id": "b"}])
def test_an_overlay_is_a_png(service: FakeService, query: dict[str, str]) -> None:
    response = explain(service, query, accept="image/png")
    assert response.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(response.content)).format == "PNG"


def test_the_map_lies_on_the_upright_image(service: FakeService) -> None:
    answer = explain(service, files={"image": rotated_jpeg(6, 64, 48)}).json()["map"]
    assert (answer["image_width"], answer["image_height"]) == (48, 64)
    assert answer["region"] == {"left": 0, "top": 0, "width": 48, "height": 64}


def test_a_constant_image_has_an_empty_map_and_says_so(service: FakeService) -> None:
    black = encoded(np.zeros((20, 30, 3), np.uint8), "png")
    answer = explain(service, {"faithfulness": True}, {"image": black}).json()["map"]
    assert answer["empty"]
    assert answer["peak"] == 0
    assert not np.any(answer["grid"])
    assert answer["faithfulness"] is None


# -- faithfulness


def test_each_map_is_judged_by_a_bounded_number_of_embeddings(service: FakeService) -> None:
    both = {"image": jpeg(seed=9), "reference": jpeg(seed=8)}
    before = sum(service.encoder.batches)
    answer = explain(service, {"faithfulness": True}, both).json()
    assert sum(service.encoder.batches) - before == 2 + 2 * PASSES
    for name in ("map", "reference_map"):
        found = answer[name]["faithfulness"]
        assert found["score"] == pytest.approx(found["insertion"] - found["deletion"])
        assert found["verdict"] in ("faithful", "weak", "no better than chance")


def test_judging_can_be_switched_off(service: FakeService) -> None:
    before = sum(service.encoder.batches)
    assert explain(service).json()["map"]["faithfulness"] is None
    assert sum(service.encoder.batches) - before == 1


# -- embed


def test_embeddings_come_with_maps_of_any_target(service: FakeService) -> None:
    files = [("images", jpeg(seed=9)), ("images", b"broken"), ("images", jpeg(seed=8))]
    query: dict[str, Any] = {"explain": "cluster", "collection": "c", "clustering": "two"}
    query["cluster"] = 1
    items = service.client.post("/v1/embed", params=query, files=files).json()["items"]
    here, there = centroids(service)
    check_along(service, items[0], there - here)
    assert items[1]["error"]["code"] == "unsupported_image"
    assert items[2]["map"]["grid"] != items[0]["map"]["grid"]
    plain = service.client.post("/v1/embed", files=files).json()["items"]
    assert "map" not in plain[0]
    assert plain[0]["embedding"] == items[0]["embedding"]


# -- search


def search(service: FakeService, **body: Any) -> Any:
    response = service.client.post(f"{C}/search", json=body)
    assert response.status_code == 200, response.text
    return response.json()["hits"]


def test_a_search_explains_the_query_and_each_hit(service: FakeService) -> None:
    query: dict[str, Any] = {"explain": "similarity", "limit": 3}
    files = {"image": jpeg(seed=9)}
    hits = service.client.post(f"{C}/search", params=query, files=files).json()["hits"]
    _, features = seen(service, jpeg(seed=9))
    by_id = dict(zip(IDS, vectors(service), strict=True))
    assert len(hits) == 3
    for hit in hits:
        explanation = hit["explanation"]
        expected = closed_form_map(features, Along(by_id[hit["id"]]))
        np.testing.assert_allclose(explanation["query_map"]["grid"], expected.grid, atol=1e-4)
        assert explanation["map"]["made_from"] == "thumbnail"
        assert explanation["map"]["faithfulness"] is None
        assert explanation["error"] is None


def test_a_search_by_id_is_explained_and_one_by_vector_has_no_query_map(
    service: FakeService,
) -> None:
    for hit in search(service, id="a", limit=2, explain="similarity"):
        assert hit["explanation"]["query_map"] is not None
    for hit in search(service, vector=vectors(service)[0].tolist(), explain="similarity"):
        assert hit["explanation"]["map"] is not None
        assert hit["explanation"]["query_map"] is None


def test_a_repeated_search_reuses_what_it_saw(service: FakeService) -> None:
    search(service, id="a", explain="similarity")
    before = sum(service.encoder.batches)
    search(service, id="a", explain="similarity")
    search(service, id="b", explain="similarity")
    assert sum(service.encoder.batches) == before


def test_hits_are_judged_only_when_asked_for(service: FakeService) -> None:
    hits = search(service, id="a", limit=1, explain="similarity", faithfulness=True)
    assert hits[0]["explanation"]["map"]["faithfulness"] is not None
    assert hits[0]["explanation"]["query_map"]["faithfulness"] is not None


def test_hits_are_not_explained_unless_asked_for(service: FakeService) -> None:
    assert all(hit["explanation"] is None for hit in search(service, id="a"))


def test_a_hit_without_a_usable_thumbnail_fails_alone() -> None:
    with fake_service() as service:
        service.client.put(C, json={})
        files = [("images", jpeg(seed=seed)) for seed in range(3)]
        service.client.post(f"{C}/images", files=files, data={"ids": '["a", "b", "c"]'})
        service.store.set_payload("c", point_id("b"), {"thumbnail": ""})
        explained = {
            h["id"]: h["explanation"] for h in search(service, id="a", explain="similarity")
        }
        assert explained["b"]["error"]["code"] == "empty_image"
        assert explained["b"]["map"] is None
        assert explained["c"]["map"] is not None


# -- cluster cards


def card(service: FakeService, label: int, **query: int) -> Any:
    response = service.client.get(f"{C}/clusterings/two/clusters/{label}", params=query)
    assert response.status_code == 200, response.text
    return response.json()


def test_a_cluster_card_shows_the_members_nearest_to_the_centroid(service: FakeService) -> None:
    found = card(service, 0)
    here, there = centroids(service)
    likeness = vectors(service)[:3] @ here
    assert [e["id"] for e in found["exemplars"]] == [IDS[i] for i in np.argsort(-likeness)]
    assert [e["score"] for e in found["exemplars"]] == pytest.approx(
        sorted(likeness, reverse=True), abs=1e-5
    )
    assert (found["label"], found["size"], found["medoid"], found["spread"]) == (0, 3, "a", 0.1)
    assert found["nearest"] == 1
    assert found["similarity"] == pytest.approx(here @ there, abs=1e-5)
    assert all(e["map"] is not None for e in found["exemplars"])


def test_a_card_has_as_many_exemplars_as_asked_for(service: FakeService) -> None:
    assert len(card(service, 0, exemplars=2)["exemplars"]) == 2
    assert len(card(service, 1, exemplars=24)["exemplars"]) == 2


def test_a_card_is_drawn_from_thumbnails(service: FakeService) -> None:
    path = f"{C}/clusterings/two/clusters/1"
    response = service.client.get(path, headers={"accept": "image/png"})
    assert Image.open(io.BytesIO(response.content)).format == "PNG"


# -- bad input


NEIGHBOURS = {"target": "neighbours", "collection": "c"}
COMPONENT = {"target": "component", "collection": "c"}
CLUSTER = {"target": "cluster", "collection": "c", "clustering": "two"}
WRONG: Sequence[tuple[str, int, str, dict[str, Any]]] = [
    ("unsupported_target", 422, "self, similarity, component", {"target": "class"}),
    ("unsupported_target", 422, "self, similarity, component", {"target": "text", "text": "cat"}),
    ("unsupported_target", 422, "no network", {"layer": "blocks.5"}),
    ("unsupported_target", 422, "no network", {"method": "rollout"}),
    ("invalid_field", 422, "knows no target", NEIGHBOURS | {"method": "eigencam"}),
    ("invalid_field", 422, "gradcam", {"method": "magic"}),
    ("invalid_field", 422, "takes no 'cluster'", {"target": "self", "cluster": 1}),
    ("missing_part", 422, "'collection' and 'clustering'", {"target": "cluster"}),
    ("missing_part", 422, "both", {"target": "similarity", "id": "a"}),
    ("unknown_collection", 404, "", NEIGHBOURS | {"collection": "zzz"}),
    ("unknown_image", 404, "zzz", {"collection": "c", "id": "zzz"}),
    ("unknown_clustering", 404, "two", CLUSTER | {"clustering": "x", "cluster": 0}),
    ("unknown_cluster", 404, "labels 0 to 1", CLUSTER | {"cluster": 2}),
    ("unknown_cluster", 404, "noise", CLUSTER | {"cluster": -1}),
    ("unknown_cluster", 404, "labels 0 to 1", CLUSTER | {"cluster": 0, "against": 7}),
    ("invalid_field", 422, "itself", CLUSTER | {"cluster": 0, "against": 0}),
    ("missing_part", 422, "name one", COMPONENT | {"component": 1}),
    ("unknown_projection", 404, "pca", COMPONENT | {"projection": "x", "component": 1}),
    ("invalid_field", 422, "components 1 to 2", COMPONENT | {"projection": "pca", "component": 3}),
    ("invalid_field", 422, "components 1 to 2", COMPONENT | {"projection": "pca", "component": 0}),
    ("invalid_field", 422, "no components", COMPONENT | {"projection": "umap", "component": 1}),
    ("invalid_field", 422, "leave 'model' out", {"collection": "c", "id": "a", "model": "fake:other"}),
]  # fmt: skip


@pytest.mark.parametrize(("code", "status", "says", "query"), WRONG)
def test_a_wrong_question_is_answered_with_what_is_possible(
    service: FakeService, code: str, status: int, says: str, query: dict[str, Any]
) -> None:
    response = explain(service, query)
    assert (response.status_code, response.json()["code"]) == (status, code), response.text
    assert says in response.json()["detail"]
    target = query.get("target", "similarity" if "id" in query else "self")
    embed = {k: v for k, v in query.items() if k != "target"} | {"explain": target}
    beside = service.client.post("/v1/embed", params=embed, files={"images": jpeg()})
    assert beside.json()["code"] == code


@pytest.mark.parametrize(
    ("code", "vector"),
    [
        ("wrong_dimension", "[1, 2]"),
        ("invalid_vector", json.dumps([0.0] * 16)),
        ("invalid_field", '["x"]'),
        ("invalid_field", "[1,"),
        ("invalid_field", "7"),
    ],
)
def test_a_wrong_vector_is_refused(service: FakeService, code: str, vector: str) -> None:
    assert explain(service, vector=vector).json()["code"] == code


def test_there_is_one_thing_to_compare_with(service: FakeService) -> None:
    both = {"image": jpeg(), "reference": jpeg(seed=1)}
    assert explain(service, files=both, vector="[1]").json()["code"] == "invalid_field"
    query = {"target": "neighbours", "collection": "c"}
    assert explain(service, query, both).json()["code"] == "invalid_field"


@pytest.mark.parametrize("label", ["2", "-1"])
def test_a_card_of_no_cluster_is_not_found(service: FakeService, label: str) -> None:
    response = service.client.get(f"{C}/clusterings/two/clusters/{label}")
    assert (response.status_code, response.json()["code"]) == (404, "unknown_cluster")


def test_too_many_hits_are_not_explained(service: FakeService) -> None:
    response = service.client.post(
        f"{C}/search", json={"id": "a", "limit": 51, "explain": "similarity"}
    )
    assert response.json()["code"] == "invalid_field"
    assert "50" in response.json()["detail"]
