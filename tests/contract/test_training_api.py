"""Trainings over HTTP, on a fake encoder and an in-memory store: run as jobs, read, refused, dropped."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lookalike_service.encoders.registry import load_encoder
from lookalike_service.settings import Settings
from lookalike_service.training.models_folder import ModelsFolder
from tests.fakes.jobs import until
from tests.fakes.service import FakeService, fake_service
from tests.pictures import jpeg, scene

C = "/v1/collections/pictures"
COUNT = 24
SMALL = {"kind": "autoencoder", "dim": 4, "size": 16, "epochs": 2, "batch_size": 8}
HEAD = {"kind": "head", "field": "metadata.label", "dim": 4, "epochs": 2}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def service(models: Path) -> Iterator[FakeService]:
    """A service with 24 images of two labels, all of one kind, and one with a rare label."""
    with fake_service(job_threads=1, models_dir=models) as started:
        for name in ("pictures", "empty"):
            started.client.put(f"/v1/collections/{name}", json={}).raise_for_status()
        files = [("images", (f"{i}.jpg", jpeg(seed=i), "image/jpeg")) for i in range(COUNT)]
        metadata = [{"label": "ab"[i % 2], "kind": "k", "list": ["x"]} for i in range(COUNT)]
        metadata[5] = {"label": "rare"}
        data = {
            "ids": json.dumps([str(i) for i in range(COUNT)]),
            "metadata": json.dumps(metadata),
        }
        started.client.post(f"{C}/images", files=files, data=data).raise_for_status()
        yield started


def job(service: FakeService, id: str) -> dict[str, Any]:
    found: dict[str, Any] = service.client.get(f"/v1/jobs/{id}").json()
    return found


def trained(service: FakeService, **body: Any) -> dict[str, Any]:
    """The result of a training that is run and succeeds."""
    response = service.client.post(f"{C}/trainings", json=body)
    assert response.status_code == 202, response.text
    id = response.json()["id"]
    until(lambda: job(service, id)["state"] in {"succeeded", "failed", "cancelled"}, "it ends", 180)
    ended = job(service, id)
    assert ended["state"] == "succeeded", ended["error"]
    result: dict[str, Any] = ended["result"]
    return result


@pytest.fixture(scope="module")
def autoencoder(service: FakeService) -> dict[str, Any]:
    return trained(service, **SMALL)


@pytest.fixture(scope="module")
def head(service: FakeService) -> dict[str, Any]:
    return trained(service, **HEAD)


def test_an_autoencoder_is_an_encoder_of_the_pictures(autoencoder: dict[str, Any]) -> None:
    assert [epoch["epoch"] for epoch in autoencoder["curve"]] == [1, 2]
    assert (autoencoder["points"], autoencoder["from_originals"]) == (COUNT, 0)
    assert autoencoder["unused_images"] == []
    encoder = load_encoder(autoencoder["model"], Settings(plan="float32"))
    found = encoder.encode(np.stack([encoder.preprocess(scene(seed=i)) for i in range(3)]))
    assert found.embeddings.shape == (3, 4)
    np.testing.assert_allclose(np.linalg.norm(found.embeddings, axis=1), 1, atol=1e-5)


def test_a_head_says_how_well_it_finds_labels_before_and_after(head: dict[str, Any]) -> None:
    assert set(head["measures"]) == {
        "recall_at_1_before", "recall_at_1_after", "knn_accuracy_before", "knn_accuracy_after",
    }  # fmt: skip
    assert all(0 <= value <= 1 for value in head["measures"].values())
    assert (head["points"], head["unused"], head["from_originals"]) == (COUNT - 1, 1, None)
    assert [image["id"] for image in head["unused_images"]] == ["5"]


def test_trainings_are_listed_and_read(
    service: FakeService, models: Path, autoencoder: dict[str, Any], head: dict[str, Any]
) -> None:
    listed = service.client.get(f"{C}/trainings").json()["trainings"]
    assert {t["name"]: t for t in listed} == {"autoencoder": autoencoder, "head": head}
    assert service.client.get(f"{C}/trainings/head").json() == head
    assert ModelsFolder(models).specs() == [autoencoder["model"], head["model"]]
    assert service.client.get("/v1/collections/empty/trainings").json() == {"trainings": []}


def test_an_autoencoder_has_a_reconstruction_sheet_and_a_head_has_none(
    service: FakeService, autoencoder: dict[str, Any], head: dict[str, Any]
) -> None:
    accept = {"accept": "image/png"}
    response = service.client.get(f"{C}/trainings/autoencoder", headers=accept)
    with Image.open(io.BytesIO(response.content), formats=["PNG"]) as sheet:
        assert sheet.size == (2 * 20 + 4, 2 * 20 + 4), "two held out, of 16 pixels"
    refused = service.client.get(f"{C}/trainings/head", headers=accept)
    assert (refused.status_code, refused.json()["code"]) == (406, "not_acceptable")


BAD: dict[str, tuple[dict[str, Any], int, str]] = {
    "unknown kind": ({"kind": "oracle"}, 422, "invalid_field"),
    "dim too small": ({**SMALL, "dim": 0}, 422, "invalid_field"),
    "dim too large": ({**SMALL, "dim": 100_000}, 422, "invalid_field"),
    "odd size": ({**SMALL, "size": 100}, 422, "invalid_field"),
    "name that leaves the folder": ({**SMALL, "name": "../x"}, 422, "invalid_field"),
    "name of the unfinished": ({**SMALL, "name": ".x"}, 422, "invalid_field"),
    "unknown parameter": ({**SMALL, "depth": 9}, 422, "invalid_field"),
    "field of the head": ({**SMALL, "field": "metadata.label"}, 422, "invalid_field"),
    "no field": ({"kind": "head"}, 422, "missing_part"),
    "no metadata": ({**HEAD, "field": "key"}, 422, "invalid_field"),
    "field nobody has": ({**HEAD, "field": "metadata.breed"}, 422, "invalid_parameters"),
    "one class": ({**HEAD, "field": "metadata.kind"}, 422, "invalid_parameters"),
    "no label": ({**HEAD, "field": "metadata.list"}, 422, "invalid_parameters"),
    "no such filter": ({**HEAD, "filter": {"nope": []}}, 422, "invalid_filter"),
    "too few pictures": (
        {**SMALL, "filter": {"must": [{"key": "metadata.label", "match": {"value": "a"}}]}},
        422,
        "invalid_parameters",
    ),
}


@pytest.mark.parametrize("wrong", BAD)
def test_a_training_that_cannot_be_is_refused_before_it_is_a_job(
    service: FakeService, wrong: str
) -> None:
    body, status, code = BAD[wrong]
    before = service.client.get("/v1/jobs").json()
    response = service.client.post(f"{C}/trainings", json=body)
    assert (response.status_code, response.json()["code"]) == (status, code), response.text
    assert service.client.get("/v1/jobs").json() == before


def test_a_name_that_is_taken_is_refused(service: FakeService, head: dict[str, Any]) -> None:
    response = service.client.post(f"{C}/trainings", json=HEAD)
    assert (response.status_code, response.json()["code"]) == (409, "training_exists")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v1/collections/nowhere/trainings", "unknown_collection"),
        ("/v1/collections/nowhere/trainings/x", "unknown_collection"),
        (f"{C}/trainings/nothing", "unknown_training"),
    ],
)
def test_what_is_not_there_is_404(service: FakeService, path: str, code: str) -> None:
    response = service.client.get(path)
    assert (response.status_code, response.json()["code"]) == (404, code)


def test_a_path_cannot_leave_the_folder(service: FakeService, models: Path) -> None:
    (models.parent / "training.json").write_text("{}")
    for name in ("..%2f..", "%2e%2e", ".autoencoder"):
        assert 400 <= service.client.get(f"{C}/trainings/{name}").status_code < 500
        assert 400 <= service.client.delete(f"{C}/trainings/{name}").status_code < 500
    assert (models.parent / "training.json").is_file()


def test_a_cancelled_training_leaves_no_model_and_its_name_free(service: FakeService) -> None:
    body = {**SMALL, "name": "long", "epochs": 10_000, "patience": 10_000}
    id = service.client.post(f"{C}/trainings", json=body).json()["id"]
    until(lambda: job(service, id)["progress"]["stage"].startswith("epoch"), "it trains", 180)
    service.client.delete(f"/v1/jobs/{id}").raise_for_status()
    assert job(service, id)["state"] == "cancelled"
    assert service.client.get(f"{C}/trainings/long").status_code == 404
    assert trained(service, **{**SMALL, "name": "long", "epochs": 1})["resumed_after"] == 0


def test_a_dropped_training_is_gone_and_its_name_free(service: FakeService, models: Path) -> None:
    trained(service, **HEAD, name="passing")
    assert service.client.delete(f"{C}/trainings/passing").status_code == 204
    assert service.client.delete(f"{C}/trainings/passing").status_code == 404
    assert list((models / "pictures").glob("*passing*")) == []


def test_a_model_that_made_a_collection_is_not_dropped(
    service: FakeService, autoencoder: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    made = service.store.collection("empty")
    space = replace(made.space, model=autoencoder["model"])
    monkeypatch.setattr(service.store, "collections", lambda: [replace(made, space=space)])
    response = service.client.delete(f"{C}/trainings/autoencoder")
    assert (response.status_code, response.json()["code"]) == (409, "conflict")
    assert "'empty'" in response.json()["detail"]


def test_a_model_that_a_head_stands_on_is_not_dropped(
    service: FakeService, autoencoder: dict[str, Any], models: Path
) -> None:
    head = trained(service, **HEAD, name="standing")
    description = models / "pictures" / "standing" / "head.json"
    told = json.loads(description.read_text())
    description.write_text(json.dumps(told | {"base": autoencoder["model"]}))
    response = service.client.delete(f"{C}/trainings/autoencoder")
    assert (response.status_code, response.json()["code"]) == (409, "conflict")
    assert head["model"] in response.json()["detail"]
    assert service.client.delete(f"{C}/trainings/standing").status_code == 204
    assert models.joinpath("pictures", "autoencoder").is_dir()
