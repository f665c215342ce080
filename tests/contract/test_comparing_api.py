"""Comparisons and duplicates over HTTP: asked for, waited for, read in every form, by every client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from lookalike import Collection, Lookalike
from lookalike import errors as sdk
from lookalike_indexer.app import run
from tests.fakes.service import FakeService, fake_server, fake_service
from tests.pictures import encoded, scene

C = "/v1/collections/c"
REAL = {"must": [{"key": "metadata.kind", "match": {"value": "real"}}]}


def pictures() -> list[bytes]:
    """Fifty scenes, every other with a bar below, then the first saved anew and two files again."""
    rgb = [scene(64, 48, seed=i) for i in range(50)]
    for picture in rgb[1::2]:
        picture[36:] = (255, 30, 30)
    files = [encoded(picture, "png") for picture in rgb]
    return [*files, encoded(rgb[0], "jpeg", quality=90), files[2], files[3]]


def described() -> tuple[list[str], list[dict[str, Any]]]:
    count = len(pictures())
    return [f"i{i}" for i in range(count)], [
        {"kind": "marked" if i % 2 else "real", "split": "train" if i < 50 else "test"}
        for i in range(count)
    ]


def finished(service: FakeService, path: str, body: Any) -> dict[str, Any]:
    """The result of a job."""
    answer = service.client.post(f"{C}/{path}", json=body)
    assert answer.status_code == 202, answer.text
    id = answer.json()["id"]
    with service.client.stream("GET", f"/v1/jobs/{id}/events") as events:
        events.read()  # they end with the job
    job: dict[str, Any] = service.client.get(f"/v1/jobs/{id}").json()
    assert job["state"] == "succeeded", job
    result: dict[str, Any] = job["result"]
    return result


@pytest.fixture(scope="module")
def service() -> Iterator[FakeService]:
    with fake_service() as started:
        assert started.client.put(C, json={}).status_code == 201
        ids, metadata = described()
        data = {"ids": json.dumps(ids), "metadata": json.dumps(metadata)}
        files = [("images", picture) for picture in pictures()]
        assert started.client.post(f"{C}/images", files=files, data=data).is_success
        sets = {"first": {"title": "real", "filter": REAL}, "second": {"title": "marked"}}
        finished(started, "compare", {"clusters": 3} | sets)
        finished(started, "duplicates", {"near": 0.9999, "variant": 1.0})
        yield started


def get(service: FakeService, path: str) -> Any:
    answer = service.client.get(f"{C}/{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


ANSWERS = {
    "comparisons": "/comparisons",
    "comparisons/comparison": "/comparisons/{name}",
    "comparisons/comparison/counterparts?side=first&limit=3": "/comparisons/{name}/counterparts",
    "comparisons/comparison/maps?limit=2": "/comparisons/{name}/maps",
    "duplicates": "/duplicates",
    "duplicates/duplicates": "/duplicates/{name}",
    "duplicates/duplicates/groups?kind=exact": "/duplicates/{name}/groups",
    "duplicates/duplicates/leakage?field=metadata.split": "/duplicates/{name}/leakage",
    "duplicates/duplicates/plan?kinds=exact": "/duplicates/{name}/plan",
}


@pytest.mark.parametrize("path", ANSWERS)
def test_an_answer_keeps_to_its_schema(service: FakeService, path: str) -> None:
    document = service.client.get("/openapi.json").json()
    operation = document["paths"]["/v1/collections/{collection}" + ANSWERS[path]]["get"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    whole = schema | {"components": document["components"]}
    Draft202012Validator(whole).validate(get(service, path))


def test_sets_that_differ_by_a_mark_are_told_apart_and_the_mark_is_hot(
    service: FakeService,
) -> None:
    run = get(service, "comparisons/comparison")
    assert run["figures"]["mmd_p"] < 0.01
    assert run["figures"]["separability"]["auc"]["value"] > 0.9
    images = get(service, "comparisons/comparison/maps")["images"]
    assert {image["side"] for image in images} == {"first", "second"}
    marked = [np.array(image["map"]["grid"]) for image in images if image["side"] == "second"]
    assert np.mean([grid[-1].mean() for grid in marked]) > np.mean(
        [grid[:-1].mean() for grid in marked]
    )


def test_an_image_that_is_not_indexed_is_explained_by_a_comparison(service: FakeService) -> None:
    picture = scene(64, 48, seed=77)
    picture[36:] = (255, 30, 30)
    values = {}
    for side in ("first", "second"):
        path = f"/v1/explain?target=comparison&collection=c&comparison=comparison&side={side}"
        answer = service.client.post(path, files={"image": encoded(picture, "png")})
        assert answer.status_code == 200, answer.text
        values[side] = answer.json()["value"]
        assert answer.json()["about"] == {"comparison": "comparison", "side": side}
    assert values["second"] == pytest.approx(-values["first"])
    assert values["second"] > 0


def test_the_page_is_html_that_may_fetch_nothing(service: FakeService) -> None:
    answer = service.client.get(f"{C}/comparisons/comparison", headers={"Accept": "text/html"})
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.text.count("data:image/jpeg;base64,") > 20
    assert "There are no heat maps" not in answer.text


def test_duplicates_are_grouped_and_leak_between_splits(service: FakeService) -> None:
    groups = get(service, "duplicates/duplicates/groups")["groups"]
    found = {group["representative"]: {d["id"] for d in group["duplicates"]} for group in groups}
    assert found == {"i0": {"i50"}, "i2": {"i51"}, "i3": {"i52"}}
    leakage = get(service, "duplicates/duplicates/leakage?field=metadata.split")
    assert [(b["first"], b["second"], b["pairs"]) for b in leakage["between"]] == [
        ("test", "train", 3)
    ]


def test_a_plan_is_listed_as_csv(service: FakeService) -> None:
    path = f"{C}/duplicates/duplicates/plan?kinds=exact"
    answer = service.client.get(path, headers={"Accept": "text/csv"})
    assert answer.headers["content-type"].startswith("text/csv")
    lines = answer.text.splitlines()
    assert lines[0] == "id,source,action,kind,kept,cosine,bits"
    assert len(lines) == 1 + len(pictures())
    assert sum(",delete,exact," in line for line in lines) == 2


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("comparisons/no", "unknown_comparison"),
        ("comparisons/no/counterparts", "unknown_comparison"),
        ("comparisons/no/maps", "unknown_comparison"),
        ("comparisons/comparison/counterparts?side=third", "invalid_field"),
        ("duplicates/no", "unknown_duplicates"),
        ("duplicates/no/groups", "unknown_duplicates"),
        ("duplicates/no/leakage?field=metadata.split", "unknown_duplicates"),
        ("duplicates/duplicates/leakage", "missing_part"),
        ("duplicates/duplicates/leakage?field=split", "invalid_field"),
        ("duplicates/duplicates/plan?kinds=all", "invalid_field"),
    ],
)
def test_what_is_not_there_is_answered_with_its_code(
    service: FakeService, path: str, code: str
) -> None:
    assert service.client.get(f"{C}/{path}").json()["code"] == code


# -- the clients


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with fake_server() as started:
        yield started


def filled(client: Lookalike, name: str) -> Collection:
    images = client.create_collection(name, indexes={"metadata.kind": "keyword"})
    ids, metadata = described()
    images.add(pictures(), ids=ids, metadata=metadata)
    return images


def test_the_client_compares_and_finds_and_deletes_duplicates(url: str) -> None:
    with Lookalike(url) as client:
        images = filled(client, "by_client")
        images.compare({"filter": REAL}, clusters=3).wait()
        run = images.comparison()
        assert [one.name for one in images.comparisons()] == [run.name]
        assert run.first.points + run.second.points == len(pictures())
        page = images.counterparts(side="first", limit=2)
        assert [one.id[0] for one in page] == ["i", "i"]
        assert len(images.comparison_maps(limit=1)) == 2
        assert images.comparison_page().startswith(b"<!doctype html>")
        images.delete_comparison()
        with pytest.raises(sdk.UnknownComparison):
            images.comparison()
        images.find_duplicates(near=0.9999, variant=1.0).wait()
        assert images.duplicates().groups == len(images.duplicate_groups()) == 3
        assert [run.name for run in images.duplicate_runs()] == ["duplicates"]
        assert images.leakage("metadata.split").between[0].images == [3, 3]
        plan = images.deletion_plan(kinds=["exact"])
        assert images.deletion_list(kinds=["exact"]).count(b",delete,") == plan.delete == 2
        with pytest.raises(sdk.Conflict):
            images.delete_duplicates("0" * 16)
        assert images.delete_duplicates(plan.token, kinds=["exact"]) == 2
        images.forget_duplicates()
        with pytest.raises(sdk.UnknownDuplicates):
            images.duplicates()


def lookalike(*arguments: str) -> int:
    """The command's exit status."""
    try:
        return run(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)


def test_the_commands_compare_and_find_and_delete_duplicates(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Lookalike(url) as client:
        filled(client, "c")
    report, plan = tmp_path / "report.html", tmp_path / "plan.csv"
    sets = ["--first", json.dumps(REAL), "--first-title", "real", "--second-title", "marked"]
    asked = ["--clusters", "3", "-o", str(report), "--url", url]
    assert lookalike("compare", "c", *sets, *asked) == 0
    shown = capsys.readouterr().out
    assert "real (27 images) against marked (26)" in shown
    assert "Fréchet distance" in shown
    assert report.read_text().startswith("<!doctype html>")
    search = ["duplicates", "c", "--near", "0.9999", "--variant", "1", "--url", url]
    assert lookalike(*search, "--leakage", "metadata.split", "--plan", str(plan)) == 0
    shown = capsys.readouterr().out
    assert "3 groups: 2 copies, 1 near duplicates, 0 variants" in shown
    assert "3 pairs of images are of different metadata.split" in shown
    assert plan.read_text().count(",delete,") == 3
    assert lookalike(*search, "--json", "--delete", "--yes", "--kind", "exact") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line[0] == "{"]
    assert lines[0]["compared"] == 0
    assert lines[-1] == {"deleted": 2}
