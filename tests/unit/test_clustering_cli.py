"""What is done with a clustering from the command line and through the SDK, against the real routes."""

from __future__ import annotations

import asyncio
import csv
import json
import re
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import httpx
import pytest

from lookalike import AsyncLookalike, Lookalike, errors
from lookalike_indexer import app
from lookalike_indexer.app import GROUP, run
from tests.fakes.analyses import clustered, numbered
from tests.fakes.service import fake_server
from tests.fakes.store import FakeStore
from tests.pictures import jpeg

Output = pytest.CaptureFixture[str]
COMMANDS = ("name", "assign", "agreement", "lineage", "export")
IDS = [f"{i}.jpg" for i in range(8)]


@pytest.fixture(scope="module")
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture(scope="module")
def url(store: FakeStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A collection `c` of eight pictures in the clusterings `two` and `four`."""
    folders = numbered(tmp_path_factory.mktemp("jobs"))
    with fake_server(store=store) as url:
        with Lookalike(url) as client:
            client.create_collection("c").add(
                [jpeg(seed=i) for i in range(8)],
                ids=IDS,
                metadata=[{"odd": i % 2 == 1} for i in range(8)],
            )
        clustered(store, next(folders), name="two")
        clustered(store, next(folders), name="four", parameters={"k": 4})
        yield url


@pytest.fixture(autouse=True)
def commands(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """The commands by their modules, whether or not the installation lists them yet."""
    found = [EntryPoint(c, f"lookalike_indexer.commands.{c}:{c}", GROUP) for c in COMMANDS]
    monkeypatch.setattr(app, "entry_points", lambda **_: found)
    monkeypatch.setenv("LOOKALIKE_URL", url)
    monkeypatch.setenv("COLUMNS", "200")


def lookalike(*arguments: str) -> int:
    """The exit status of a command."""
    try:
        return run(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)


def only_line(capsys: Output) -> Any:
    return json.loads(capsys.readouterr().out)


def test_clusters_are_named_and_shown(capsys: Output) -> None:
    assert lookalike("name", "c", "two", "0=cats", "--description", "Both.", "--json") == 0
    named = only_line(capsys)
    assert [cluster["name"] for cluster in named["clusters"]] == ["cats", None]
    assert lookalike("name", "c", "two") == 0
    shown = capsys.readouterr().out
    assert shown.startswith("Both.\n")
    assert "cats" in shown
    assert lookalike("name", "c", "two", "--description", "", "--json") == 0
    assert only_line(capsys)["description"] is None


@pytest.mark.parametrize("wrong", [["x=cats"], ["cats"], ["--template", "{}"]])
def test_names_that_name_no_cluster_are_refused(wrong: list[str]) -> None:
    assert lookalike("name", "c", "two", *wrong) == 2


def test_words_for_an_encoder_without_text_are_refused_naming_some_with(
    tmp_path: Path, capsys: Output
) -> None:
    words = tmp_path / "words.txt"
    words.write_text("cat\n\ndog\n")
    assert lookalike("name", "c", "two", "--auto", "--words", str(words)) == 1
    assert "embeds no text" in capsys.readouterr().err


def test_images_are_assigned_and_one_that_is_broken_fails_alone(
    tmp_path: Path, capsys: Output
) -> None:
    good, bad = tmp_path / "good.jpg", tmp_path / "bad.jpg"
    good.write_bytes(jpeg(seed=3))
    bad.write_bytes(jpeg()[:100])
    assert lookalike("assign", "c", "two", str(good), str(bad), "--json") == 3
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["label"] in (0, 1)
    assert 0 <= first["confidence"] <= 1
    assert second["label"] is None
    assert second["error"]
    assert lookalike("assign", "c", "two", str(good)) == 0
    assert "good.jpg" in capsys.readouterr().out


def test_agreement_prints_the_table_and_who_holds_a_value(capsys: Output) -> None:
    arguments = ["agreement", "c", "two", "metadata.odd", "--value", "True"]
    assert lookalike(*arguments, "--precision-weight", "0.3") == 0
    shown = capsys.readouterr().out
    assert "8 images: " in shown
    assert "adjusted_rand" in shown
    assert sum(int(n) for n in re.findall(r"(?:True|False) (\d)", shown)) == 8
    assert "True is held by clusters" in shown
    assert lookalike(*arguments, "--json") == 0
    assert only_line(capsys)["points"] == 8


def test_lineage_prints_what_became_of_each_cluster(capsys: Output) -> None:
    assert lookalike("lineage", "c", "four", "two") == 0
    shown = capsys.readouterr().out
    assert "four to two: 8 images in both, 0 and 0 in one alone" in shown
    assert "merged" in shown or "kept" in shown
    assert lookalike("lineage", "c", "two", "two", "--json") == 0
    assert {fate["event"] for fate in only_line(capsys)["fates"]} == {"kept"}
    assert lookalike("lineage", "c", "two", "none") == 1
    assert "it has: four, two" in capsys.readouterr().err


def test_a_cluster_is_saved_as_a_table_and_as_a_folder_of_pictures(
    tmp_path: Path, capsys: Output
) -> None:
    table = tmp_path / "all.csv"
    assert lookalike("export", "c", "two", str(table)) == 0
    assert f"wrote {table}" in capsys.readouterr().out
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert {row["id"] for row in rows} == set(IDS)
    ones = {row["id"] for row in rows if row["label"] == "1"}
    folder = tmp_path / "deep" / "ones"
    assert lookalike("export", "c", "two", str(folder), "--label", "1") == 0
    assert {path.name for path in folder.glob("1*/*")} == ones
    listed = [json.loads(line) for line in (folder / "images.jsonl").read_text().splitlines()]
    assert {(folder / row["file"]).read_bytes()[:2] for row in listed} == {b"\xff\xd8"}
    assert sorted(path.name for path in folder.parent.iterdir()) == ["ones"]
    assert lookalike("export", "c", "two", str(folder)) == 2, "it is not empty"
    assert lookalike("export", "c", "two", str(tmp_path / "x.xls")) == 1
    assert "csv, jsonl, parquet, zip" in capsys.readouterr().err


def test_a_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    def breaking(_: httpx.Request) -> httpx.Response:
        def chunks() -> Iterator[bytes]:
            yield b"half of it"
            assert [path.name for path in tmp_path.iterdir()] != []
            raise httpx.RemoteProtocolError("broke off")

        return httpx.Response(200, content=chunks())

    transport = httpx.MockTransport(breaking)
    client = Lookalike("http://x", retries=0, transport=transport)
    with client, pytest.raises(errors.ConnectionFailed, match="broke off"):
        client.collection("c").export("two", tmp_path / "two.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_the_async_client_saves_files_and_compares_too(url: str, tmp_path: Path) -> None:
    async def go() -> tuple[Path, int, str]:
        async with AsyncLookalike(url) as client:
            images = client.collection("c")
            saved = await images.export("two", tmp_path / "two", format="parquet", label=0)
            found = await images.lineage("two", "four")
            with pytest.raises(errors.UnknownCluster):
                await images.export("two", tmp_path / "none.csv", label=[7])
            run = await images.describe_clusters("four", {3: {"name": "last"}})
            return saved, found.points, str(run.clusters[3].name)

    saved, points, name = asyncio.run(go())
    assert saved.read_bytes()[:4] == b"PAR1"
    assert (points, name) == (8, "last")
    assert [path.name for path in tmp_path.iterdir()] == ["two"]


def test_images_indexed_later_carry_their_confidence_in_the_sdk(url: str) -> None:
    with Lookalike(url) as client:
        images = client.collection("c")
        images.add([jpeg(seed=99)], ids=["late"])
        assert set(images.image("late").confidences) == {"two", "four"}
        assert images.image("1.jpg").confidences == {}
        drift = images.clustering("two").drift
        assert drift is not None
        assert drift.images == 1
        images.delete(["late"])
