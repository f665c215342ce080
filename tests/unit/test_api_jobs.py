"""Clusterings, projections and jobs over HTTP, on a fake encoder and an in-memory store."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from tests.fakes.jobs import until
from tests.fakes.service import FakeService, fake_service
from tests.pictures import broken, jpeg

C = "/v1/collections/pictures"
COUNT = 12
FINISHED = {"succeeded", "failed", "cancelled"}


@pytest.fixture(scope="module")
def service() -> Iterator[FakeService]:
    """A service with twelve images, half of them labelled."""
    with fake_service(job_threads=1) as started:
        started.client.put(C, json={}).raise_for_status()
        files = [("images", (f"{i}.jpg", jpeg(seed=i), "image/jpeg")) for i in range(COUNT)]
        data = {
            "ids": json.dumps([str(i) for i in range(COUNT)]),
            "metadata": json.dumps([{"even": i % 2 == 0, "i": i} for i in range(COUNT)]),
        }
        started.client.post(f"{C}/images", files=files, data=data).raise_for_status()
        yield started


def started(service: FakeService, path: str, **body: Any) -> dict[str, Any]:
    response = service.client.post(f"{C}/{path}", json=body)
    assert response.status_code == 202, response.text
    job: dict[str, Any] = response.json()
    assert job["state"] == "queued"
    return job


def ended(service: FakeService, id: str) -> dict[str, Any]:
    def get() -> dict[str, Any]:
        job: dict[str, Any] = service.client.get(f"/v1/jobs/{id}").json()
        return job

    until(lambda: get()["state"] in FINISHED, "the job ends", 120)
    return get()


def done(service: FakeService, path: str, **body: Any) -> dict[str, Any]:
    """The result of a job that is run and succeeds."""
    job = ended(service, started(service, path, **body)["id"])
    assert job["state"] == "succeeded", job["error"]
    result: dict[str, Any] = job["result"]
    return result


def problem(response: Any, status: int, code: str) -> str:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == code
    return str(response.json()["detail"])


# -- clusterings


def test_a_clustering_is_run_read_listed_and_returned_with_hits(service: FakeService) -> None:
    result = done(service, "clusterings", parameters={"k": 3}, name="three")
    assert service.client.get(f"{C}/clusterings/three").json() == result
    assert result in service.client.get(f"{C}/clusterings").json()["clusterings"]
    assert sum(cluster["size"] for cluster in result["clusters"]) == COUNT

    hits = service.client.post(f"{C}/search", json={"id": "0", "limit": COUNT}).json()["hits"]
    clusters = [hit["clusters"]["three"] for hit in hits]
    assert len(clusters) == COUNT - 1
    assert set(clusters) <= {0, 1, 2}
    for cluster in result["clusters"]:
        medoid = service.client.get(f"{C}/images/{cluster['medoid']}").json()
        assert medoid["clusters"]["three"] == cluster["label"]

    assert service.client.delete(f"{C}/clusterings/three").status_code == 204
    problem(service.client.get(f"{C}/clusterings/three"), 404, "unknown_clustering")
    image = service.client.get(f"{C}/images/0").json()
    assert "three" not in image["clusters"]


@pytest.mark.parametrize(
    ("path", "body", "code", "text"),
    [
        ("clusterings", {"parameters": {"k": 13}}, "invalid_parameters", "allowed here: 1 to 12"),
        ("clusterings", {"algorithm": "x"}, "invalid_parameters", "allowed: agglomerative, dbscan"),
        ("clusterings", {"k": 3}, "invalid_field", "k: unknown field"),
        ("clusterings", {"name": "a/b"}, "invalid_field", "name"),
        ("clusterings", {"filter": {"what": 1}}, "invalid_filter", "what"),
        ("projections", {"method": "x"}, "invalid_parameters", "allowed: pca, umap"),
        ("projections", {"dimensions": 4}, "invalid_field", "dimensions"),
        (
            "projections",
            {"filter": {"must": [{"has_id": ["1"]}]}},
            "invalid_parameters",
            "at least 5 points",
        ),
    ],
)
def test_an_impossible_run_is_refused_and_leaves_no_job(
    service: FakeService, path: str, body: dict[str, Any], code: str, text: str
) -> None:
    before = service.client.get("/v1/jobs").json()
    assert text in problem(service.client.post(f"{C}/{path}", json=body), 422, code)
    assert service.client.get("/v1/jobs").json() == before


@pytest.mark.parametrize("path", ["clusterings", "projections"])
def test_runs_of_an_unknown_collection_are_refused(service: FakeService, path: str) -> None:
    unknown = f"/v1/collections/zzz/{path}"
    problem(service.client.get(unknown), 404, "unknown_collection")
    problem(service.client.post(unknown, json={}), 404, "unknown_collection")


# -- projections


def test_a_projection_is_run_read_drawn_and_dropped(service: FakeService) -> None:
    result = done(service, "projections", method="pca", name="flat")
    points = service.client.get(f"{C}/projections/flat").json()
    assert {key: points[key] for key in result} == result
    assert sorted(points["ids"], key=int) == [str(i) for i in range(COUNT)]
    assert np.isfinite(points["coordinates"]).all()
    assert result in service.client.get(f"{C}/projections").json()["projections"]

    for query in ({}, {"color": "metadata.even"}, {"color": "metadata.i"}):
        response = service.client.get(
            f"{C}/projections/flat", params=query, headers={"accept": "image/png"}
        )
        assert response.headers["content-type"] == "image/png"
        assert Image.open(io.BytesIO(response.content)).format == "PNG"

    assert service.client.delete(f"{C}/projections/flat").status_code == 204
    problem(service.client.get(f"{C}/projections/flat"), 404, "unknown_projection")


def test_a_map_is_given_as_arrow_as_svg_and_made_of_thumbnails(service: FakeService) -> None:
    done(service, "projections", method="pca", name="map", label_field="metadata.even")
    path, client = f"{C}/projections/map", service.client
    columns = {"columns": "metadata.even,metadata.i"}
    points = client.get(path, params=columns).json()
    arrow = client.get(
        path, params=columns, headers={"accept": "application/vnd.apache.arrow.stream"}
    )
    table = pa.ipc.open_stream(arrow.content).read_all()
    assert table.column_names == [
        "id",
        "x",
        "y",
        "distortion",
        "later",
        *columns["columns"].split(","),
    ]
    assert table.column("metadata.i").to_pylist() == points["columns"]["metadata.i"]
    svg = client.get(path, params={"color": "distortion"}, headers={"accept": "image/svg+xml"})
    assert svg.headers["content-type"].startswith("image/svg+xml")
    assert b"<svg" in svg.content
    drawn = client.get(path, params={"thumbnails": True}, headers={"accept": "image/png"})
    assert Image.open(io.BytesIO(drawn.content)).format == "PNG"
    for query, kind in (
        ("thumbnails=true", "image/svg+xml"),
        ("columns=metadata.i", "image/png"),
        ("columns=i", "application/json"),
        ("color=distortion&thumbnails=true", "image/png"),
    ):
        refused = client.get(f"{path}?{query}", headers={"accept": kind})
        problem(refused, 422, "invalid_field")


def test_images_indexed_since_appear_on_the_map(service: FakeService) -> None:
    done(service, "projections", method="pca", name="map")
    files = [("images", jpeg(seed=99))]
    added = service.client.post(f"{C}/images", files=files, data={"ids": '["new"]'})
    assert added.status_code == 200, added.text
    points = service.client.get(f"{C}/projections/map").json()
    place = points["coordinates"][points["ids"].index("new")]
    transformed = service.client.post(f"{C}/projections/map/transform", files=files).json()
    np.testing.assert_allclose(place, transformed["items"][0]["coordinates"], atol=1e-4)


def test_what_cannot_be_drawn_is_refused(service: FakeService) -> None:
    done(service, "projections", method="pca")
    path, png = f"{C}/projections/pca", {"accept": "image/png"}
    detail = problem(
        service.client.get(path, params={"color": "metadata.zzz"}, headers=png),
        422,
        "invalid_field",
    )
    assert "metadata.zzz" in detail
    problem(service.client.get(path, params={"color": "zzz"}, headers=png), 422, "invalid_field")
    problem(
        service.client.get(path, params={"color": "metadata.i"}), 422, "invalid_field"
    )  # without the picture
    problem(service.client.get(path, headers={"accept": "text/csv"}), 406, "not_acceptable")


def test_new_images_are_placed_and_a_broken_one_fails_alone(service: FakeService) -> None:
    done(service, "projections", method="pca", name="map")
    points = service.client.get(f"{C}/projections/map").json()
    place = dict(zip(points["ids"], points["coordinates"], strict=True))
    bad = broken()["truncated jpeg"].data
    files = [("images", data) for data in (jpeg(seed=4), bad, jpeg(seed=7))]
    response = service.client.post(f"{C}/projections/map/transform", files=files)
    assert response.status_code == 200, response.text
    first, second, third = response.json()["items"]
    np.testing.assert_allclose(first["coordinates"], place["4"], atol=1e-4)
    np.testing.assert_allclose(third["coordinates"], place["7"], atol=1e-4)
    assert second["error"]["code"] == "truncated_image"
    assert second.get("coordinates") is None


def test_a_lone_broken_image_or_an_unknown_map_is_a_problem(service: FakeService) -> None:
    done(service, "projections", method="pca", name="map")
    bad = broken()["text"].data
    response = service.client.post(f"{C}/projections/map/transform", files=[("images", bad)])
    problem(response, 415, "unsupported_image")
    files = [("images", jpeg(seed=1))]
    response = service.client.post(f"{C}/projections/zzz/transform", files=files)
    problem(response, 404, "unknown_projection")


# -- jobs


def test_events_end_with_the_final_state(service: FakeService) -> None:
    job = started(service, "clusterings", parameters={"k": 2})
    with service.client.stream("GET", f"/v1/jobs/{job['id']}/events") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        blocks = "".join(response.iter_text()).strip().split("\n\n")
    events = []
    for block in blocks:
        name, data = block.split("\n")
        assert name == "event: job"
        events.append(json.loads(data.removeprefix("data: ")))
    assert all(event["id"] == job["id"] for event in events)
    assert [event["state"] in FINISHED for event in events] == [False] * (len(events) - 1) + [True]
    assert events[-1] == service.client.get(f"/v1/jobs/{job['id']}").json()
    assert events[-1]["state"] == "succeeded"


def test_events_of_a_finished_job_are_one_event(service: FakeService) -> None:
    job = ended(service, started(service, "clusterings", parameters={"k": 2})["id"])
    text = service.client.get(f"/v1/jobs/{job['id']}/events").text
    assert text.count("event: job") == 1
    assert json.loads(text.split("data: ")[1]) == job


def test_jobs_are_listed_newest_first_and_by_collection(service: FakeService) -> None:
    ids = [started(service, "clusterings", parameters={"k": 2})["id"] for _ in range(3)]
    listed = service.client.get("/v1/jobs", params={"limit": 3}).json()["jobs"]
    assert [job["id"] for job in listed] == ids[::-1]
    assert service.client.get("/v1/jobs", params={"collection": "zzz"}).json() == {"jobs": []}
    for id_ in ids:
        ended(service, id_)
    problem(service.client.get("/v1/jobs", params={"limit": 0}), 422, "invalid_field")


def test_queued_and_running_jobs_are_cancelled_and_the_next_one_runs(
    service: FakeService,
) -> None:
    running = started(service, "projections", method="umap", name="never")  # imports for seconds
    queued = started(service, "clusterings", parameters={"k": 2}, name="never")
    until(
        lambda: service.client.get(f"/v1/jobs/{running['id']}").json()["state"] == "running",
        "the first job runs",
    )
    for job in (queued, running):
        response = service.client.delete(f"/v1/jobs/{job['id']}")
        assert response.status_code == 200, response.text
        assert response.json()["state"] == "cancelled"
    done(service, "clusterings", parameters={"k": 2}, name="next")
    for job in (queued, running):
        assert service.client.get(f"/v1/jobs/{job['id']}").json()["state"] == "cancelled"
        detail = problem(service.client.delete(f"/v1/jobs/{job['id']}"), 409, "job_not_finished")
        assert "cancelled already" in detail
    problem(service.client.get(f"{C}/projections/never"), 404, "unknown_projection")
    problem(service.client.get(f"{C}/clusterings/never"), 404, "unknown_clustering")


@pytest.mark.parametrize(("verb", "path"), [("get", ""), ("delete", ""), ("get", "/events")])
def test_an_unknown_job_is_a_problem(service: FakeService, verb: str, path: str) -> None:
    response = service.client.request(verb, f"/v1/jobs/zzz{path}")
    assert "GET /v1/jobs" in problem(response, 404, "unknown_job")
