"""The commands as a user runs them, against a fake service on a loopback port."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from lookalike import Lookalike
from lookalike_indexer import app
from lookalike_indexer.app import GROUP, run
from lookalike_indexer.bars import index_bar, job_bar
from lookalike_indexer.report import IndexProgress
from tests.fakes.wire import PNG, WireService

Output = pytest.CaptureFixture[str]


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WireService]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "200")
    service = WireService()
    with service.listen() as url:
        monkeypatch.setenv("LOOKALIKE_URL", url)
        yield service


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for name in ("a/[x].jpg", "a/two.jpg", "b/three.jpg"):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path / "photos"


@pytest.fixture
def indexed(service: WireService, photos: Path, capsys: Output) -> Path:
    assert lookalike("index", str(photos), "-c", "photos") == 0
    capsys.readouterr()
    return photos


def lookalike(*arguments: str) -> int:
    """The exit status of a command."""
    try:
        return run(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)


@pytest.fixture
def more_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands by their modules, whether or not the installation lists them yet."""
    names = ("collections", "delete", "jobs")
    found = [EntryPoint(name, f"lookalike_indexer.commands.{name}:{name}", GROUP) for name in names]
    monkeypatch.setattr(app, "entry_points", lambda **_: found)


def lines(capsys: Output) -> list[Any]:
    """Standard output as JSON lines."""
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_index_says_what_it_did_and_ends_with_0(
    service: WireService, photos: Path, capsys: Output
) -> None:
    assert lookalike("index", str(photos), "--collection", "photos") == 0
    assert "photos: 3 created, 0 updated, 0 unchanged, 0 failed" in capsys.readouterr().out
    assert lookalike("index", str(photos), "--collection", "photos") == 0
    assert "0 created, 0 updated, 3 unchanged" in capsys.readouterr().out


def test_index_ends_with_3_if_files_failed_and_lists_them(
    service: WireService, photos: Path, tmp_path: Path, capsys: Output
) -> None:
    (photos / "bad.jpg").write_bytes(b"broken")
    errors = tmp_path / "errors.jsonl"
    assert lookalike("index", str(photos), "-c", "photos", "--errors", str(errors)) == 3
    assert "bad.jpg: truncated_image: The image ends too early." in capsys.readouterr().err
    (failure,) = map(json.loads, errors.read_text().splitlines())
    assert failure == {
        "path": str(photos / "bad.jpg"),
        "code": "truncated_image",
        "detail": "The image ends too early.",
    }


def test_index_prints_failures_and_a_summary_as_json(
    service: WireService, photos: Path, capsys: Output
) -> None:
    (photos / "bad.jpg").write_bytes(b"broken")
    assert lookalike("index", str(photos), "-c", "photos", "--json") == 3
    progress, failed, summary = lines(capsys)
    assert (progress["event"], progress["done"], progress["total"]) == ("progress", 0, 4)
    assert (failed["event"], failed["code"]) == ("failed", "truncated_image")
    assert summary["event"] == "summary"
    assert (summary["total"], summary["created"], summary["failed"]) == (4, 3, 1)
    assert summary["bottleneck"] in {"read", "service"}


def test_index_takes_a_manifest_with_columns_as_named(
    service: WireService, photos: Path, capsys: Output
) -> None:
    rows = photos / "rows.csv"
    rows.write_text("scan,case,finding,age\na/two.jpg,17,cyst,40\nb/three.jpg,18,none,50\n")
    named = ["--path-column", "scan", "--id-column", "case", "--label-from", "finding"]
    assert lookalike("index", str(rows), "-c", "photos", *named) == 0
    stored = service.images["photos"]
    assert {id: image["metadata"] for id, image in stored.items()} == {
        "17": {"finding": "cyst", "age": 40, "label": "cyst"},
        "18": {"finding": "none", "age": 50, "label": "none"},
    }


def test_index_reads_paths_from_standard_input(
    service: WireService, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{photos}/a/two.jpg\n{photos}/b/three.jpg\n"))
    assert lookalike("index", "-", "-c", "photos") == 0
    assert len(service.images["photos"]) == 2


def test_index_prunes_little_at_once_and_much_only_with_yes(
    service: WireService, photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    for i in range(10):
        (photos / f"{i}.jpg").write_bytes(b"picture %d" % i)
    lookalike("index", str(photos), "-c", "photos")
    (photos / "0.jpg").unlink()
    assert lookalike("index", str(photos), "-c", "photos", "--prune") == 0
    assert "1 deleted" in capsys.readouterr().out
    for i in range(1, 6):
        (photos / f"{i}.jpg").unlink()
    assert lookalike("index", str(photos), "-c", "photos", "--prune") == 2
    assert "--yes" in capsys.readouterr().err
    assert len(service.images["photos"]) == 12
    assert lookalike("index", str(photos), "-c", "photos", "--prune", "--yes") == 0
    assert len(service.images["photos"]) == 7


def test_index_stores_copies_as_asked(service: WireService, photos: Path, capsys: Output) -> None:
    (photos / "copy.jpg").write_bytes((photos / "a/two.jpg").read_bytes())
    assert lookalike("index", str(photos), "-c", "photos") == 0
    assert "3 created, 0 updated, 0 unchanged, 1 copies, 0 failed" in capsys.readouterr().out
    assert lookalike("index", str(photos), "-c", "each", "--duplicates", "each") == 0
    assert len(service.images["each"]) == 4


@pytest.mark.parametrize(
    "arguments",
    [
        ["nowhere", "-c", "photos"],
        ["{photos}", "-c", "photos", "--model", "none"],
        ["{photos}", "-c", "photos", "--index-field", "age"],
        ["{photos}", "-c", "photos", "--index-field", "age:number"],
        ["{photos}"],
        ["{photos}", "-c", "photos", "--data", "folder"],
        ["{photos}", "-c", "photos", "--label-from", "finding"],
    ],
    ids=[
        "no folder",
        "no model",
        "no type",
        "no such type",
        "no collection",
        "a folder for nothing",
        "no column",
    ],
)
def test_index_ends_with_2_if_it_cannot_run(
    service: WireService, photos: Path, arguments: list[str], capsys: Output
) -> None:
    filled = [argument.format(photos=photos) for argument in arguments]
    assert lookalike("index", *filled) == 2
    assert "Traceback" not in capsys.readouterr().err
    assert service.uploads() == 0


def test_index_declares_fields_to_filter_by(service: WireService, photos: Path) -> None:
    lookalike("index", str(photos), "-c", "photos", "--index-field", "age:integer")
    declared = service.collections["photos"]["indexes"]
    assert declared == {
        "metadata.folder": "keyword",
        "metadata.label": "keyword",
        "metadata.age": "integer",
    }


def test_search_shows_hits_in_a_table_with_names_as_they_are(indexed: Path, capsys: Output) -> None:
    assert lookalike("search", str(indexed / "a/two.jpg"), "-c", "photos", "-n", "2") == 0
    shown = capsys.readouterr().out
    assert "1.0000" in shown
    assert "a/[x].jpg" in shown
    assert "b/three.jpg" not in shown


def test_search_by_id_prints_hits_as_json(
    indexed: Path, service: WireService, capsys: Output
) -> None:
    condition = {"must": [{"key": "metadata.label", "match": {"value": "a"}}]}
    arguments = ["--id", "a/two.jpg", "-c", "photos", "--filter", json.dumps(condition), "--json"]
    assert lookalike("search", *arguments) == 0
    assert [hit["id"] for hit in lines(capsys)] == ["a/[x].jpg", "a/two.jpg", "b/three.jpg"]
    sent = json.loads(service.requests[-1].content)
    assert sent == {"id": "a/two.jpg", "limit": 10, "offset": 0, "filter": condition}


def test_search_sends_every_way_to_search(service: WireService, indexed: Path) -> None:
    arguments = [
        "--positive",
        "a",
        "--positive",
        "b",
        "--negative",
        "c",
        "--strategy",
        "best_score",
    ]
    arguments += ["--group-by", "metadata.label", "--group-size", "2", "--exact"]
    assert lookalike("search", "-c", "photos", *arguments) == 0
    sent = json.loads(service.requests[-1].content)
    assert (sent["positive"], sent["negative"]) == (["a", "b"], ["c"])
    assert (sent["group_by"], sent["group_size"], sent["exact"]) == ("metadata.label", 2, True)
    assert lookalike("search", "-c", "photos", "--id", "a", "--diversity", "0.5", "--ef", "99") == 0
    sent = json.loads(service.requests[-1].content)
    assert (sent["diversity"], sent["ef"]) == (0.5, 99)


def test_search_by_a_region_says_that_it_is_of_the_thumbnail(
    service: WireService, indexed: Path, capsys: Output
) -> None:
    assert lookalike("search", "-c", "photos", "--id", "a", "--region", "1,2,30,40") == 0
    sent = json.loads(service.requests[-1].content)["region"]
    assert sent == {"left": 1, "top": 2, "width": 30, "height": 40}
    assert "thumbnail" in capsys.readouterr().err
    assert lookalike("search", "-c", "photos", "--id", "a", "--region", "1,2") == 2


def test_search_shows_groups_and_once_calibrated_verdicts_and_staleness(
    indexed: Path, capsys: Output
) -> None:
    query = ("search", "-c", "photos", "--id", "a")
    assert lookalike(*query) == 0
    assert "verdict" not in capsys.readouterr().out
    assert lookalike("calibrate", "photos") == 0
    assert "similar from 0.6750, near duplicates not told apart" in capsys.readouterr().out
    assert lookalike(*query, "--group-by", "metadata.label") == 0
    shown = capsys.readouterr()
    assert "similar" in shown.out
    assert "group" in shown.out
    assert "lookalike calibrate photos" in shown.err


def test_calibrate_and_facets_print_json(indexed: Path, capsys: Output) -> None:
    assert lookalike("calibrate", "photos", "--json") == 0
    assert lines(capsys)[0]["threshold"] == 0.7
    assert lookalike("facets", "photos", "metadata.label", "--json") == 0
    assert lines(capsys) == [{"value": "a", "count": 2}, {"value": "b", "count": 1}]
    assert lookalike("facets", "photos", "metadata.label") == 0
    assert "images" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [[], ["x.jpg", "--id", "a"], ["--id", "a", "--filter", "{"], ["--id", "a", "--filter", "[]"]],
)
def test_search_refuses_a_query_that_is_none(
    service: WireService, arguments: list[str], capsys: Output
) -> None:
    assert lookalike("search", "-c", "photos", *arguments) == 2
    assert service.requests == []


def test_explain_writes_the_overlay(indexed: Path, tmp_path: Path, capsys: Output) -> None:
    image, output = str(indexed / "a/two.jpg"), tmp_path / "out.png"
    assert lookalike("explain", image, "-o", str(output)) == 0
    assert output.read_bytes() == PNG
    assert lookalike("explain", image, image, "-o", str(output)) == 0
    assert "similarity 0.5000" in capsys.readouterr().out
    assert lookalike("explain", image, image, "--json") == 0
    assert lines(capsys)[0]["reference_map"]["grid"] == [[0.0, 1.0]]
    assert lookalike("explain", image) == 2


def test_explain_takes_a_target_and_says_what_to_think_of_the_map(
    service: WireService, indexed: Path, tmp_path: Path, capsys: Output
) -> None:
    image, output = str(indexed / "a/two.jpg"), tmp_path / "out.png"
    options = ["--target", "cluster", "-c", "photos", "--clustering", "k", "--cluster", "2"]
    how = ["--method", "layercam", "--layer", "blocks.5", "-o", str(output)]
    assert lookalike("explain", image, *options, *how) == 0
    said = capsys.readouterr().out
    assert "cluster 0.5000 (cluster 2)" in said
    assert "the map of the image is faithful: score 0.400, by chance up to 0.100" in said
    for request in service.requests[-2:]:
        asked = request.url.params
        assert (asked["target"], asked["method"], asked["layer"]) == (
            "cluster",
            "layercam",
            "blocks.5",
        )
        assert asked.get("faithfulness") != "false"  # the picture says the verdict too
    assert lookalike("explain", image, "--target", "everything", "-o", str(output)) == 2


def test_cluster_waits_and_shows_sizes_medoids_and_diagnostics(
    indexed: Path, service: WireService, capsys: Output
) -> None:
    options = ["--param", "k=2", "-p", "init=random", "--reduction", "pca:50", "--seed", "3"]
    assert lookalike("cluster", "photos", *options, "--name", "mine") == 0
    shown = capsys.readouterr().out
    assert "mine: 2 images in 1 clusters, 0 in none" in shown
    assert "a/[x].jpg" in shown
    assert "silhouette 0.5, inertia undefined" in shown
    (job,) = service.jobs.values()
    assert job["parameters"]["parameters"] == {"k": 2, "init": "random"}
    assert job["parameters"]["seed"] == 3
    assert lookalike("cluster", "photos", "--json") == 0
    assert lines(capsys)[0]["clusters"][0]["size"] == 2


def test_cluster_shows_how_k_was_chosen(
    indexed: Path, service: WireService, capsys: Output
) -> None:
    options = ["--param", "k=[1,2]", "--criterion", "gap", "--stability", "4"]
    assert lookalike("cluster", "photos", *options) == 0
    shown = capsys.readouterr().out
    assert "k = 1 by gap, of 2 images" in shown
    assert "0.125" in shown
    (job,) = service.jobs.values()
    assert job["parameters"]["criterion"] == "gap"
    assert job["parameters"]["stability"] == 4
    assert job["parameters"]["parameters"] == {"k": [1, 2]}


def test_project_writes_the_map(
    indexed: Path, service: WireService, tmp_path: Path, capsys: Output
) -> None:
    output = tmp_path / "map.png"
    color = ["--color", "metadata.label"]
    assert lookalike("project", "photos", "--method", "pca", "-o", str(output), *color) == 0
    assert output.read_bytes() == PNG
    assert service.requests[-1].url.params["color"] == "metadata.label"
    assert "trustworthiness 0.75" in capsys.readouterr().out
    assert lookalike("project", "photos", *color) == 2


def test_project_writes_what_the_name_of_the_file_says(
    indexed: Path, service: WireService, tmp_path: Path, capsys: Output
) -> None:
    pca = ("project", "photos", "--method", "pca")
    column = ("--column", "metadata.label", "--column", "clusters.k")
    for name, accept, options in (
        ("map.svg", "image/svg+xml", ("--color", "distortion")),
        ("map.png", "image/png", ("--thumbnails",)),
        ("map.arrow", "application/vnd.apache.arrow.stream", column),
        ("map.json", "application/json", column),
    ):
        assert lookalike(*pca, "-o", str(tmp_path / name), *options) == 0, capsys.readouterr().err
        assert service.requests[-1].headers["accept"] == accept
    assert service.requests[-1].url.params["columns"] == "metadata.label,clusters.k"
    assert json.loads((tmp_path / "map.json").read_text())["ids"] == ["a", "b"]
    assert lookalike(*pca, "-o", str(tmp_path / "map.gif")) == 2
    assert lookalike(*pca, "-o", str(tmp_path / "map.svg"), "--thumbnails") == 2
    assert lookalike(*pca, "-o", str(tmp_path / "map.png"), *column) == 2
    former = ("--reduction", "none", "--align-to", "old", "--label-field", "metadata.label")
    assert lookalike(*pca, *former) == 0
    asked = list(service.jobs.values())[-1]["parameters"]
    assert (asked["reduction"], asked["align_to"]) == (None, "old")


def test_a_job_that_fails_is_one_line_with_its_code(indexed: Path, capsys: Output) -> None:
    assert lookalike("cluster", "photos", "--algorithm", "fails") == 1
    assert capsys.readouterr().err == "lookalike: invalid_parameters: k is 9; there are 2 images.\n"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["search", "-c", "nowhere", "--id", "a"], "unknown_collection"),
        (["cluster", "nowhere"], "unknown_collection"),
        (["search", "no such file.jpg", "-c", "photos"], "No such file"),
        (["models", "--url", "localhost:3000"], "invalid_input"),
    ],
)
def test_an_expected_failure_is_one_line_and_ends_with_1(
    indexed: Path, arguments: list[str], code: str, capsys: Output
) -> None:
    assert lookalike(*arguments) == 1
    said = capsys.readouterr().err
    assert said.startswith("lookalike: ")
    assert code in said
    assert said.count("\n") == 1


# -- looking after collections and jobs


def test_models_are_listed(service: WireService, capsys: Output) -> None:
    assert lookalike("models") == 0
    assert "224×224" in capsys.readouterr().out
    assert lookalike("models", "--json") == 0
    assert lines(capsys)[0]["default"] is True


def test_collections_are_listed(indexed: Path, more_commands: None, capsys: Output) -> None:
    assert lookalike("collections") == 0
    assert "metadata.folder, metadata.label" in capsys.readouterr().out
    assert lookalike("collections", "--json") == 0
    assert [(c["name"], c["points"]) for c in lines(capsys)] == [("photos", 3)]


def test_jobs_are_listed_shown_and_cancelled(
    indexed: Path, service: WireService, more_commands: None, capsys: Output
) -> None:
    service._start("photos", "clusterings", {"algorithm": "kmeans"})
    service._start("photos", "projections", {"method": "umap"})
    assert lookalike("jobs", "--json") == 0
    assert [job["id"] for job in lines(capsys)] == ["job-2", "job-1"]
    assert lookalike("jobs", "job-1", "--cancel") == 0
    assert "cancelled" in capsys.readouterr().out
    assert service.jobs["job-2"]["state"] == "queued"
    assert lookalike("jobs", "--cancel") == 2
    assert lookalike("jobs", "job-9") == 1


def test_images_are_deleted_by_id_and_filter(
    indexed: Path, service: WireService, more_commands: None, capsys: Output
) -> None:
    assert lookalike("delete", "photos", "a/two.jpg", "nobody") == 0
    assert capsys.readouterr().out == "1 images deleted\n"
    assert lookalike("delete", "photos", "--filter", "{}", "--json") == 0
    assert lines(capsys) == [{"deleted": 2}]
    assert lookalike("delete", "photos") == 2
    assert lookalike("delete", "photos", "x", "--everything") == 2
    assert "photos" in service.collections


def test_a_collection_is_dropped_only_when_confirmed(
    indexed: Path, service: WireService, more_commands: None
) -> None:
    assert lookalike("delete", "photos", "--everything") == 1, "no one answers the question here"
    assert "photos" in service.collections
    assert lookalike("delete", "photos", "--everything", "--yes") == 0
    assert "photos" not in service.collections


# -- progress


def test_a_bar_is_drawn_on_a_terminal_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    for terminal in ("0", "1"):
        monkeypatch.setenv("TTY_COMPATIBLE", terminal)
        with index_bar() as progress:
            progress(IndexProgress(done=7, total=9, failed=2))
        drawn = capsys.readouterr()
        assert drawn.out == ""
        assert ("7/9" in drawn.err) == ("2 failed" in drawn.err) == (terminal == "1")


def test_the_bar_of_a_job_names_its_stage(
    service: WireService, monkeypatch: pytest.MonkeyPatch, capsys: Output
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    service._create("photos", {})
    with Lookalike() as client, job_bar() as progress:
        client.collection("photos").cluster().wait(progress)
    assert "done" in capsys.readouterr().err
