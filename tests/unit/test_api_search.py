"""Searches over HTTP: parts of images, examples, groups, batches, facets and what scores mean."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lookalike_service.workflows.sought import DIVERSE_POOL, EXAMPLE_VECTORS
from tests.fakes.jobs import until
from tests.fakes.service import FakeService, fake_service
from tests.pictures import encoded, jpeg, scene

C = "/v1/collections/pictures"
COUNT = 60
JPEG = {"content-type": "image/jpeg"}


def picture(i: int) -> bytes:
    """An image that is larger than its thumbnail."""
    return jpeg(width=400, height=300, seed=i)


@pytest.fixture(scope="module")
def service() -> Iterator[FakeService]:
    """A service with sixty images, of twelve patients."""
    with fake_service(job_threads=1) as started:
        body = {"indexes": {"metadata.patient": "keyword"}}
        started.client.put(C, json=body).raise_for_status()
        for start in range(0, COUNT, 20):
            ids = range(start, start + 20)
            data = {
                "ids": json.dumps([str(i) for i in ids]),
                "metadata": json.dumps([{"patient": f"p{i % 12}"} for i in ids]),
            }
            files = [("images", picture(i)) for i in ids]
            started.client.post(f"{C}/images", files=files, data=data).raise_for_status()
        yield started


def search(service: FakeService, **body: Any) -> Any:
    response = service.client.post(f"{C}/search", json=body)
    assert response.status_code == 200, response.text
    return response.json()


def ids(answer: Any) -> list[str]:
    return [hit["id"] for hit in answer["hits"]]


def refused(response: Any, code: str = "invalid_field", status: int = 422) -> str:
    assert response.status_code == status, response.text
    assert response.json()["code"] == code
    return str(response.json()["detail"])


# -- regions


def test_a_region_of_an_image_is_searched_by_as_if_it_were_the_image(service: FakeService) -> None:
    whole = scene(200, 160, seed=99)
    part = encoded(np.ascontiguousarray(whole[30:110, 20:140]), "png")
    expected = service.client.post(
        f"{C}/search", content=part, headers={"content-type": "image/png"}
    ).json()
    response = service.client.post(
        f"{C}/search",
        params={"region": "20,30,120,80"},
        content=encoded(whole, "png"),
        headers={"content-type": "image/png"},
    )
    found = response.json()
    assert found["made_from"] == "image"
    assert ids(found) == ids(expected)
    assert [hit["score"] for hit in found["hits"]] == pytest.approx(
        [hit["score"] for hit in expected["hits"]], abs=1e-5
    )


def test_a_region_of_a_multipart_image_is_read_too(service: FakeService) -> None:
    response = service.client.post(
        f"{C}/search", params={"region": "0,0,200,150"}, files={"image": picture(1)}
    )
    whole = service.client.post(f"{C}/search", files={"image": picture(1)})
    assert response.status_code == 200
    assert response.json()["hits"] != whole.json()["hits"]


def test_a_region_of_an_indexed_image_is_cut_from_its_thumbnail(service: FakeService) -> None:
    region = {"left": 100, "top": 60, "width": 200, "height": 150}
    found = search(service, id="3", region=region, limit=5)
    assert found["made_from"] == "thumbnail"
    assert "3" not in ids(found)
    thumbnail = service.client.get(f"{C}/images/3/thumbnail").content
    with Image.open(io.BytesIO(thumbnail)) as small:
        box = np.array([100, 60, 300, 210]) * small.width / 400
        part = np.asarray(small.convert("RGB").crop(tuple(box.round().astype(int).tolist())))
    alone = service.client.post(
        f"{C}/search",
        params={"limit": 6},
        content=encoded(part, "png"),
        headers={"content-type": "image/png"},
    ).json()
    assert ids(found) == [id for id in ids(alone) if id != "3"][:5]


def test_a_search_without_a_picture_was_made_from_none(service: FakeService) -> None:
    assert search(service, id="3")["made_from"] is None


@pytest.mark.parametrize(
    "region", ["0,0,500,10", "-1,0,10,10", "0,0,0,10", "0,0,nan,10", "390,290,20,20"]
)
def test_a_region_outside_the_image_is_refused_with_its_size(
    service: FakeService, region: str
) -> None:
    response = service.client.post(
        f"{C}/search", params={"region": region}, content=picture(1), headers=JPEG
    )
    assert "400 × 300" in refused(response)


def test_a_region_that_the_thumbnail_hardly_shows_is_refused(service: FakeService) -> None:
    region = {"left": 0, "top": 0, "width": 20, "height": 20}
    response = service.client.post(f"{C}/search", json={"id": "3", "region": region})
    assert "send the image itself" in refused(response)


def test_a_region_that_is_no_rectangle_is_refused(service: FakeService) -> None:
    response = service.client.post(
        f"{C}/search", params={"region": "1,2,3"}, content=picture(1), headers=JPEG
    )
    assert "LEFT,TOP,WIDTH,HEIGHT" in refused(response)


def test_the_map_of_a_region_lies_within_it(service: FakeService) -> None:
    params: dict[str, Any] = {"region": "100,60,200,150", "explain": "similarity", "limit": 2}
    response = service.client.post(
        f"{C}/search", params=params, content=picture(5), headers=JPEG
    ).json()
    by_id = search(
        service,
        id="5",
        region={"left": 100, "top": 60, "width": 200, "height": 150},
        explain="similarity",
        limit=2,
    )
    for answer, made_from in ((response, "image"), (by_id, "thumbnail")):
        for hit in answer["hits"]:
            drawn = hit["explanation"]["query_map"]
            region = {"left": 100, "top": 60, "width": 200, "height": 150}
            assert drawn["region"] == region
            assert (drawn["image_width"], drawn["image_height"]) == (400, 300)
            assert drawn["made_from"] == made_from


# -- examples, groups, diversity


def test_examples_are_left_out_of_the_hits(service: FakeService) -> None:
    found = search(service, positive=["1", "2"], negative=["3"], limit=COUNT)
    assert set(ids(found)) == {str(i) for i in range(COUNT)} - {"1", "2", "3"}


def test_examples_are_explained_by_their_average(service: FakeService) -> None:
    found = search(service, positive=["1", "2"], explain="similarity", limit=2)
    for hit in found["hits"]:
        assert hit["explanation"]["map"]["grid"]
        assert hit["explanation"]["query_map"] is None


def test_one_hit_per_patient_with_the_patient(service: FakeService) -> None:
    found = search(service, id="0", group_by="metadata.patient", limit=12)
    assert {hit["group"] for hit in found["hits"]} == {f"p{i}" for i in range(12)}
    assert all(hit["group"] == hit["metadata"]["patient"] for hit in found["hits"])
    assert len(found["hits"]) == 12


def test_an_image_that_is_sent_is_grouped_too(service: FakeService) -> None:
    params: dict[str, Any] = {"group_by": "metadata.patient", "group_size": 2, "limit": 3}
    found = service.client.post(
        f"{C}/search", params=params, content=picture(7), headers=JPEG
    ).json()
    groups = [hit["group"] for hit in found["hits"]]
    assert groups == [group for group in dict.fromkeys(groups) for _ in range(2)]
    assert found["hits"][0]["id"] == "7"


WRONG: dict[str, dict[str, Any]] = {
    "exactly one of": {"id": "1", "positive": ["2"]},
    "'negative' goes with 'positive'": {"id": "1", "negative": ["2"]},
    "'strategy' goes with 'positive'": {"id": "1", "strategy": "best_score"},
    "'group_size' goes with 'group_by'": {"id": "1", "group_size": 2},
    "'region' goes with an image or 'id'": {
        "positive": ["1"],
        "region": {"left": 0, "top": 0, "width": 10, "height": 10},
    },
    "leave 'ef' out": {"id": "1", "exact": True, "ef": 100},
    "cannot be combined": {"id": "1", "group_by": "metadata.patient", "diversity": 0.5},
    f"{DIVERSE_POOL} nearest": {"id": "1", "diversity": 0.5, "offset": DIVERSE_POOL, "limit": 1},
    "1000 at most": {"id": "1", "group_by": "metadata.patient", "limit": 200, "group_size": 6},
    f"{EXAMPLE_VECTORS} in all": {
        "positive": ["1", "2", "3"],
        "strategy": "best_score",
        "offset": 4000,
    },
    "no one query": {"positive": ["1"], "strategy": "best_score", "explain": "similarity"},
    "lower 'limit'": {
        "id": "1",
        "group_by": "metadata.patient",
        "limit": 30,
        "group_size": 2,
        "explain": "similarity",
    },
}


@pytest.mark.parametrize("told", WRONG)
def test_a_search_that_asks_for_too_much_is_told_what_is_possible(
    service: FakeService, told: str
) -> None:
    assert told in refused(service.client.post(f"{C}/search", json=WRONG[told]))


def test_an_example_that_is_not_there_is_named(service: FakeService) -> None:
    response = service.client.post(f"{C}/search", json={"positive": ["1", "gone"]})
    assert "'gone'" in refused(response, "unknown_image", 404)
    response = service.client.post(f"{C}/search", json={"positive": ["1", [0.5]]})
    assert "'positive' item 1" in refused(response, "wrong_dimension")


def test_examples_that_cancel_out_are_refused(service: FakeService) -> None:
    one = [1.0] + [0.0] * 15
    other = [-1.0] + [0.0] * 15
    response = service.client.post(f"{C}/search", json={"positive": [one, other]})
    assert "together" in refused(response, "invalid_vector")


# -- batches


def test_the_searches_of_a_batch_answer_as_each_alone(service: FakeService) -> None:
    searches: list[dict[str, Any]] = [
        {"id": "1"},
        {"id": "2", "limit": 3, "offset": 1},
        {"positive": ["3", "4"]},
        {"id": "5", "group_by": "metadata.patient"},
        {"id": "6", "region": {"left": 0, "top": 0, "width": 200, "height": 150}},
    ]
    answer = service.client.post(f"{C}/search/batch", json={"searches": searches}).json()
    assert [item["index"] for item in answer["items"]] == list(range(5))
    for item, one in zip(answer["items"], searches, strict=True):
        alone = search(service, **one)
        assert item["hits"] == alone["hits"]
        assert item["made_from"] == alone["made_from"]
        assert item["error"] is None


def test_a_wrong_search_of_a_batch_fails_alone(service: FakeService) -> None:
    wrong: dict[str, Any] = {
        "unknown_image": {"id": "gone"},
        "invalid_field": {"id": "1", "hue": 1},
        "wrong_dimension": {"vector": [1.0]},
        "invalid_filter": {"id": "1", "filter": {"perhaps": []}},
        "unsupported_text": {"text": "a cat"},
    }
    searches = [{"id": "1"}, *wrong.values(), {"id": "2"}, 5, {"id": "1", "explain": "similarity"}]
    items = service.client.post(f"{C}/search/batch", json={"searches": searches}).json()["items"]
    codes = [item["error"] and item["error"]["code"] for item in items]
    assert codes == [None, *wrong, None, "invalid_field", "invalid_field"]
    assert ids(items[0]) == ids(search(service, id="1"))
    assert ids(items[6]) == ids(search(service, id="2"))
    assert all((item["hits"] is None) == (item["error"] is not None) for item in items)


@pytest.mark.parametrize("body", [{}, {"searches": []}, {"searches": [{"id": "1"}] * 101}])
def test_a_batch_of_no_or_too_many_searches_is_refused(
    service: FakeService, body: dict[str, Any]
) -> None:
    response = service.client.post(f"{C}/search/batch", json=body)
    assert response.status_code == 422
    assert "searches" in response.json()["detail"]


def test_a_batch_of_too_many_hits_is_refused(service: FakeService) -> None:
    searches = [{"id": "1", "limit": 1000}] * 11
    response = service.client.post(f"{C}/search/batch", json={"searches": searches})
    assert "11000 hits" in refused(response)


LARGE = {"should": [{"key": "metadata.patient", "match": {"value": str(i)}} for i in range(600)]}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("search/batch", {"searches": [{"id": "1", "filter": LARGE}] * 9}),
        (
            "search/batch",
            {"searches": [{"id": "1", "filter": {"must": [{"has_id": ["1"] * 80_000}]}}] * 4},
        ),
        ("search", {"id": "1", "filter": LARGE, "group_by": "metadata.patient", "group_size": 2}),
        ("search", {"positive": ["1"] * 9, "strategy": "best_score", "filter": LARGE}),
    ],
)
def test_filters_that_are_too_large_together_are_refused(
    service: FakeService, path: str, body: dict[str, Any]
) -> None:
    response = service.client.post(f"{C}/{path}", json=body)
    assert "at most 5000 and 300000 are allowed" in refused(response, "invalid_filter")


def test_a_filter_of_a_batch_that_is_too_large_itself_fails_alone(service: FakeService) -> None:
    huge = {"should": LARGE["should"] * 20}
    searches = [{"id": "1"}, {"id": "1", "filter": huge}]
    answer = service.client.post(f"{C}/search/batch", json={"searches": searches})
    first, second = answer.json()["items"]
    assert ids(first) == ids(search(service, id="1"))
    assert second["error"]["code"] == "invalid_filter"


# -- facets


def test_facets_count_values_of_all_and_of_some(service: FakeService) -> None:
    found = service.client.get(f"{C}/facets", params={"field": "metadata.patient"}).json()
    assert found["field"] == "metadata.patient"
    assert {one["value"]: one["count"] for one in found["values"]} == {
        f"p{i}": 5 for i in range(12)
    }
    only = json.dumps({"must": [{"key": "metadata.patient", "match": {"any": ["p1", "p2"]}}]})
    some = service.client.get(
        f"{C}/facets", params={"field": "metadata.patient", "filter": only, "limit": 1}
    ).json()
    assert [one["count"] for one in some["values"]] == [5]


def test_facets_of_no_field_or_no_collection_are_refused(service: FakeService) -> None:
    refused(service.client.get(f"{C}/facets"), "missing_part")
    gone = service.client.get("/v1/collections/gone/facets", params={"field": "metadata.a"})
    refused(gone, "unknown_collection", 404)


# -- what scores mean


def calibrated(service: FakeService, collection: str = C) -> Any:
    job = service.client.post(f"{collection}/calibration", json={}).json()["id"]
    until(
        lambda: service.client.get(f"/v1/jobs/{job}").json()["finished_at"] is not None,
        "the calibration ends",
    )
    ended = service.client.get(f"/v1/jobs/{job}").json()
    assert ended["state"] == "succeeded", ended["error"]
    return ended["result"]


def test_before_a_calibration_nothing_is_said_and_after_it_every_hit_is_judged() -> None:
    with fake_service(job_threads=1) as service:
        fill(service, 60)
        before = search(service, id="1")
        assert before["calibration"] is None
        assert all(
            hit["chance"] is hit["verdict"] is hit["expected"] is None for hit in before["hits"]
        )
        refused(service.client.get(f"{C}/calibration"), "unknown_calibration", 404)

        result = calibrated(service)
        assert service.client.get(f"{C}/calibration").json() == result
        assert (result["points"], result["images"], result["stale"]) == (60, 60, False)
        assert result["altered"] == 3 * 48

        found = search(service, id="1", limit=59)
        assert found["calibration"] == {
            "created_at": result["created_at"],
            "points": 60,
            "stale": False,
        }
        for hit in found["hits"]:
            assert hit["expected"] == pytest.approx(hit["chance"] * 60)
            similar = hit["score"] >= result["similar"]
            assert (hit["verdict"] == "no_good_match") == (not similar)
        chances = [hit["chance"] for hit in found["hits"]]
        assert chances == sorted(chances)
        batch = {"searches": [{"id": "1", "limit": 59}]}
        answer = service.client.post(f"{C}/search/batch", json=batch).json()
        assert answer["calibration"] == found["calibration"]
        assert answer["items"][0]["hits"] == found["hits"]


def test_a_picture_saved_anew_is_a_near_duplicate_and_another_is_not() -> None:
    with fake_service(job_threads=1) as service:
        fill(service, 60)
        calibrated(service)
        again = encoded(scene(400, 300, seed=4), "jpeg", quality=70)
        hits = service.client.post(f"{C}/search", content=again, headers=JPEG).json()["hits"]
        assert (hits[0]["id"], hits[0]["verdict"]) == ("4", "near_duplicate")
        assert hits[-1]["verdict"] != "near_duplicate"


def test_a_calibration_is_stale_once_the_collection_has_grown() -> None:
    with fake_service(job_threads=1) as service:
        fill(service, 50)
        calibrated(service)
        fill(service, 10, start=50)
        assert search(service, id="1")["calibration"]["stale"] is False
        fill(service, 1, start=60)
        assert search(service, id="1")["calibration"]["stale"] is True
        assert service.client.get(f"{C}/calibration").json()["stale"] is True
        calibrated(service)
        assert search(service, id="1")["calibration"]["stale"] is False


def test_a_dropped_collection_takes_its_calibration_along() -> None:
    with fake_service(job_threads=1) as service:
        fill(service, 50)
        calibrated(service)
        service.client.delete(C)
        fill(service, 3)
        assert search(service, id="1")["calibration"] is None


def test_too_few_images_are_not_calibrated(service: FakeService) -> None:
    service.client.put("/v1/collections/few", json={})
    response = service.client.post("/v1/collections/few/calibration", json={})
    refused(response, "invalid_parameters")
    files = [("images", picture(i)) for i in range(3)]
    service.client.post("/v1/collections/few/images", files=files).raise_for_status()
    response = service.client.post("/v1/collections/few/calibration", json={})
    assert "50 at least" in refused(response, "invalid_parameters")


def fill(service: FakeService, count: int, start: int = 0) -> None:
    """Images named by their number, in the collection of the tests."""
    service.client.put(C, json={})
    names = range(start, start + count)
    data = {"ids": json.dumps([str(i) for i in names])}
    files = [("images", picture(i)) for i in names]
    service.client.post(f"{C}/images", files=files, data=data).raise_for_status()
