"""Migrations over HTTP, on two fake encoders and an in-memory store: fill, compare, cut over, go back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lookalike_service.encoders.protocol import Encoded, Pixels
from lookalike_service.spaces import Space
from lookalike_service.store.protocol import MADE_FROM, pinned, point_id
from tests.fakes.encoder import FakeEncoder
from tests.fakes.jobs import until
from tests.fakes.service import FakeService, fake_service
from tests.pictures import encoded, jpeg

OLD, NEW, THIRD = "timm:fake_patches", "timm:fake_wide", "timm:fake_third"
COUNT = 30


class Picky(FakeEncoder):
    """An encoder that fails on white images."""

    def encode(self, pixels: Pixels, *, features: bool = False) -> Encoded:
        if (pixels == 255).all(axis=(1, 2, 3)).any():
            raise RuntimeError("too bright")
        return super().encode(pixels, features=features)


def encoders() -> list[FakeEncoder]:
    return [Picky(NEW, channels=24, seed=8), FakeEncoder(THIRD, seed=9)]


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first ten of the pictures as files; of the eleventh, another picture."""
    folder = tmp_path_factory.mktemp("originals")
    for i in range(10):
        (folder / f"{i}.jpg").write_bytes(picture(i))
    (folder / "10.jpg").write_bytes(picture(999))
    return folder


@pytest.fixture(scope="module")
def service(originals: Path) -> Iterator[FakeService]:
    with fake_service(more=encoders(), job_threads=1, originals=originals) as started:
        yield started


@pytest.fixture
def name(service: FakeService, request: pytest.FixtureRequest) -> str:
    """A collection of thirty pictures, labelled by a clustering."""
    name = f"c{len(service.store.collections())}"
    service.client.put(f"/v1/collections/{name}", json={}).raise_for_status()
    index(service, name, list(range(COUNT)))
    body = {"name": "two", "algorithm": "kmeans", "parameters": {"k": 2}}
    job = service.client.post(f"/v1/collections/{name}/clusterings", json=body).json()["id"]
    until(lambda: state(service, job) == "succeeded", "it is clustered")
    return name


def picture(i: int) -> bytes:
    return jpeg(400, 300, seed=i)


def index(service: FakeService, name: str, which: list[int], prefix: str = "") -> dict[str, Any]:
    """Index pictures under their numbers."""
    files = [("images", (f"{i}.jpg", picture(i), "image/jpeg")) for i in which]
    data = {"ids": json.dumps([f"{prefix}{i}" for i in which])}
    answer = service.client.post(f"/v1/collections/{name}/images", files=files, data=data)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def state(service: FakeService, job: str) -> str:
    return str(service.client.get(f"/v1/jobs/{job}").json()["state"])


def path(name: str, call: str = "") -> str:
    return f"/v1/collections/{name}/migration{call}"


def migrated(service: FakeService, name: str, model: str = NEW, **body: Any) -> dict[str, Any]:
    """The report of a migration that was filled."""
    answer = service.client.post(path(name), json={"model": model, **body})
    assert answer.status_code == 202, answer.text
    job = answer.json()["id"]
    until(lambda: state(service, job) in {"succeeded", "failed", "cancelled"}, "it is filled")
    ended = service.client.get(f"/v1/jobs/{job}").json()
    assert ended["state"] == "succeeded", ended
    result: dict[str, Any] = ended["result"]
    return result


def now(service: FakeService, name: str) -> dict[str, Any]:
    answer = service.client.get(path(name))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def model_of(service: FakeService, name: str) -> str:
    return str(service.client.get(f"/v1/collections/{name}").json()["model"])


def hits(service: FakeService, name: str, i: int, limit: int = 3) -> list[dict[str, Any]]:
    answer = service.client.post(
        f"/v1/collections/{name}/search?limit={limit}",
        content=picture(i),
        headers={"content-type": "image/jpeg"},
    )
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["hits"]
    return found


def post(service: FakeService, name: str, call: str, **body: Any) -> dict[str, Any]:
    answer = service.client.post(path(name, call), json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def refused(service: FakeService, name: str, call: str, **body: Any) -> tuple[str, str]:
    """Code and detail of a refusal."""
    problem = service.client.post(path(name, call), json=body).json()
    return problem["code"], problem["detail"]


def test_the_report_says_what_was_read_and_what_it_changes(service: FakeService, name: str) -> None:
    report = migrated(service, name, sample=12)
    assert (report["points"], report["from_thumbnails"], report["not_migrated"]) == (COUNT, 20, 0)
    assert (report["sample"], report["ranked"]) == (12, 12)
    assert 0 <= report["overlap_at_10"] < 1  # another encoder has other neighbours
    assert -1 <= report["rank_correlation"] < 1
    assert report["thumbnails"]["model"] == OLD
    assert 0.8 < report["thumbnails"]["least_cosine"] <= report["thumbnails"]["mean_cosine"] < 1
    (warning,) = report["warnings"]
    assert "20 of 30 images were embedded from thumbnails" in warning
    found = now(service, name)
    assert (found["state"], found["missing"], found["report"]) == ("ready", 0, report)
    assert (found["former"]["model"], found["former"]["points"]) == (OLD, COUNT)
    assert (found["target"]["model"], found["target"]["dim"]) == (NEW, 24)


def test_originals_count_only_if_they_are_what_was_indexed(service: FakeService, name: str) -> None:
    migrated(service, name)
    post(service, name, "/cutover")
    records, _ = service.store.scroll(name)
    from_images = {r.payload["key"] for r in records if MADE_FROM not in r.payload}
    assert from_images == {str(i) for i in range(10)}
    assert hits(service, name, 3)[0]["score"] == pytest.approx(1, abs=1e-5)
    assert hits(service, name, 20)[0]["score"] < 1 - 1e-6


def test_it_answers_by_one_encoder_until_it_is_cut_over_then_by_the_other(
    service: FakeService, name: str
) -> None:
    before = hits(service, name, 3)
    labels = {hit["id"]: hit["clusters"] for hit in hits(service, name, 3, COUNT)}
    migrated(service, name)
    assert (model_of(service, name), hits(service, name, 3)) == (OLD, before)
    assert post(service, name, "/cutover")["state"] == "cut_over"
    assert model_of(service, name) == NEW
    after = hits(service, name, 3, COUNT)
    assert (after[0]["id"], after[0]["score"] > 0.999) == ("3", True)
    assert {hit["id"]: hit["clusters"] for hit in after} == labels
    assert post(service, name, "/cutover")["state"] == "cut_over"
    assert post(service, name, "/rollback")["state"] == "ready"
    assert (model_of(service, name), hits(service, name, 3)) == (OLD, before)
    assert post(service, name, "/rollback")["state"] == "ready"
    post(service, name, "/cutover")
    finished = post(service, name, "/finish")
    assert (finished["state"], finished["former"], finished["job"] is None) == (
        "finished", None, False,
    )  # fmt: skip
    assert post(service, name, "/finish")["state"] == "finished"
    for call in ("/cutover", "/rollback"):
        assert refused(service, name, call)[0] == "migration_not_ready"
    assert model_of(service, name) == NEW


def test_images_indexed_edited_and_deleted_on_the_way_are_so_in_both(
    service: FakeService, name: str
) -> None:
    migrated(service, name)
    assert index(service, name, [50, 51])["created"] == 2
    assert index(service, name, [52], prefix="0:")["created"] == 1
    images = f"/v1/collections/{name}/images"
    service.client.patch(f"{images}/4", json={"metadata": {"seen": True}}).raise_for_status()
    service.client.delete(f"{images}/5").raise_for_status()
    assert (now(service, name)["missing"], now(service, name)["target"]["points"]) == (0, 32)
    post(service, name, "/cutover")
    assert hits(service, name, 50)[0]["id"] == "50"
    assert service.client.get(f"{images}/4").json()["metadata"] == {"seen": True}
    assert service.client.get(f"{images}/5").status_code == 404
    assert index(service, name, [60])["created"] == 1
    service.client.delete(f"{images}/6").raise_for_status()
    post(service, name, "/rollback")
    assert hits(service, name, 60)[0]["id"] == "60"
    assert service.client.get(f"{images}/6").status_code == 404


def test_an_image_that_cannot_be_read_again_is_listed_and_must_be_given_up_by_name(
    service: FakeService, name: str
) -> None:
    for i in (10, 11):  # no original, and a thumbnail that is none
        service.store.set_payload(name, point_id(str(i)), {"thumbnail": "QUJD"})
    report = migrated(service, name)
    assert (report["points"], report["not_migrated"]) == (COUNT - 2, 2)
    listed = {(image["id"], image["code"]) for image in report["not_migrated_images"]}
    assert listed == {("10", "unsupported_image"), ("11", "unsupported_image")}
    assert now(service, name)["missing"] == 2
    code, detail = refused(service, name, "/cutover")
    assert code == "migration_not_ready"
    assert "2 of 30 images" in detail
    assert "'10' (unsupported_image)" in detail
    assert model_of(service, name) == OLD
    # Indexed again, one is written in both spaces; the other is given up.
    service.client.delete(f"/v1/collections/{name}/images/10").raise_for_status()
    index(service, name, [10])
    assert now(service, name)["missing"] == 1
    assert post(service, name, "/cutover", allow_missing=True)["state"] == "cut_over"
    assert service.client.get(f"/v1/collections/{name}/images/11").status_code == 404


def test_an_image_that_the_new_encoder_alone_fails_on_is_indexed_and_counts_as_missing(
    service: FakeService, name: str
) -> None:
    migrated(service, name)
    white = encoded(np.full((40, 40, 3), 255, np.uint8), "png")
    answer = service.client.post(
        f"/v1/collections/{name}/images", files=[("images", white), ("images", picture(70))]
    )
    assert (answer.json()["created"], answer.json()["failed"]) == (2, 0)
    assert now(service, name)["missing"] == 1
    assert refused(service, name, "/cutover")[0] == "migration_not_ready"
    report = migrated(service, name)  # trying again lists it
    (image,) = report["not_migrated_images"]
    assert image["code"] == "encoder_failed"
    assert "1 images have no vector" in report["warnings"][-1]


def test_where_one_of_the_encoders_is_not_offered_any_more_indexing_says_what_to_do(
    service: FakeService, name: str
) -> None:
    gone = Space("timm:gone", "0" * 64, "avg", "squash", 4)
    service.store.add_space(name, gone)
    answer = service.client.post(f"/v1/collections/{name}/images", files=[("images", picture(80))])
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (404, "unknown_model")
    assert f"'{OLD}' and 'timm:gone'" in problem["detail"]
    assert "end the migration" in problem["detail"]
    assert hits(service, name, 3)[0]["id"] == "3"
    service.store.drop_space(name, gone.id)
    assert index(service, name, [80])["created"] == 1


def test_indexing_the_original_again_replaces_what_was_made_from_its_thumbnail(
    service: FakeService, name: str
) -> None:
    migrated(service, name)
    post(service, name, "/cutover")
    assert hits(service, name, 20)[0]["score"] < 1 - 1e-6
    assert index(service, name, [3, 20])["updated"] == 1  # 3 is of its original
    assert hits(service, name, 20)[0]["score"] == pytest.approx(1, abs=1e-5)
    assert index(service, name, [20])["unchanged"] == 1


def test_a_collection_has_one_migration_at_a_time(service: FakeService, name: str) -> None:
    migrated(service, name)
    assert refused(service, name, "", model=THIRD)[0] == "migration_exists"
    assert migrated(service, name)["points"] == COUNT  # going on with it finds nothing to do
    post(service, name, "/cutover")
    code, detail = refused(service, name, "", model=OLD)
    assert code == "migration_exists"
    assert OLD in detail
    post(service, name, "/finish")
    migrated(service, name, OLD)
    post(service, name, "/cutover")
    post(service, name, "/finish")
    assert hits(service, name, 3)[0]["id"] == "3"


def test_what_makes_no_sense_is_refused_with_what_to_do(service: FakeService, name: str) -> None:
    assert service.client.get(path(name)).json()["code"] == "unknown_migration"
    assert service.client.delete(path(name)).json()["code"] == "unknown_migration"
    for call in ("/cutover", "/rollback", "/finish"):
        assert refused(service, name, call)[0] == "unknown_migration"
    code, detail = refused(service, name, "", model=OLD)
    assert (code, "already" in detail) == ("invalid_field", True)
    assert refused(service, name, "", model="timm:nothing")[0] == "unknown_model"
    assert refused(service, "nowhere", "", model=NEW)[0] == "unknown_collection"
    migrated(service, name)
    code, detail = refused(service, name, "/finish")
    assert (code, "cut over first" in detail) == ("migration_not_ready", True)


def test_a_migration_that_is_given_up_leaves_the_collection_as_it_was(
    service: FakeService, name: str
) -> None:
    migrated(service, name)
    target = now(service, name)["target"]["space"]
    post(service, name, "/cutover")
    assert service.client.delete(path(name)).json()["code"] == "migration_not_ready"
    post(service, name, "/rollback")
    assert service.client.delete(path(name)).status_code == 204
    assert service.client.get(path(name)).json()["code"] == "unknown_migration"
    assert len(service.store.collection(name).spaces) == 1
    with pytest.raises(Exception, match=target):
        service.store.count(pinned(name, target))
    migrated(service, name, THIRD)


def test_a_dropped_collection_takes_its_migration_along(service: FakeService, name: str) -> None:
    migrated(service, name)
    service.client.delete(f"/v1/collections/{name}").raise_for_status()
    service.client.put(f"/v1/collections/{name}", json={}).raise_for_status()
    assert service.client.get(path(name)).json()["code"] == "unknown_migration"
    index(service, name, [1])


def test_a_clustering_of_the_former_space_keeps_its_labels_and_is_refused_for_what_needs_vectors(
    service: FakeService, name: str
) -> None:
    body = {"method": "pca", "name": "map"}
    job = service.client.post(f"/v1/collections/{name}/projections", json=body).json()["id"]
    until(lambda: state(service, job) == "succeeded", "the map is drawn")
    migrated(service, name)
    post(service, name, "/cutover")
    run = service.client.get(f"/v1/collections/{name}/clusterings/two").json()
    assert run["space"] == now(service, name)["former"]["space"]
    assert hits(service, name, 3)[0]["clusters"].keys() == {"two"}
    card = service.client.get(f"/v1/collections/{name}/clusterings/two/clusters/0").json()
    place = service.client.post(
        f"/v1/collections/{name}/projections/map/transform", files=[("images", picture(3))]
    ).json()
    explained = service.client.post(
        f"/v1/explain?target=cluster&cluster=0&collection={name}&clustering=two",
        files={"image": picture(3)},
    ).json()
    for problem in (card, place, explained):
        assert problem["code"] == "space_mismatch", problem["detail"]
        assert OLD in problem["detail"] or run["space"] in problem["detail"]
    points = service.client.get(f"/v1/collections/{name}/projections/map").json()
    assert len(points["ids"]) == COUNT
    post(service, name, "/rollback")
    card = service.client.get(f"/v1/collections/{name}/clusterings/two/clusters/0")
    assert card.status_code == 200
