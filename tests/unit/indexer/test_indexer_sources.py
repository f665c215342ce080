"""What is particular to each kind of source."""

from __future__ import annotations

import io
import json
import os
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import fsspec
import httpx
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from lookalike.errors import InvalidInput
from lookalike_indexer.report import FileFailure
from lookalike_indexer.sources import item as items_module
from lookalike_indexer.sources import web
from lookalike_indexer.sources.item import Item, Unreadable
from lookalike_indexer.sources.manifests import Columns
from lookalike_indexer.sources.opening import open_sources
from lookalike_indexer.sources.rows import plain
from lookalike_indexer.sources.web import Fetcher


def find(*given: str | Path, **columns: str) -> tuple[list[Item], list[FileFailure]]:
    """What is found there, and what is not."""
    sources = open_sources(list(given), Columns(**columns))
    try:
        found = [item for source in sources for item in source.items()]
    finally:
        for source in sources:
            source.close()
    failures = [item for item in found if isinstance(item, FileFailure)]
    return [item for item in found if isinstance(item, Item)], failures


def ids(*given: str | Path) -> list[str]:
    return [item.id for item in find(*given)[0]]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A small tree of files; their contents do not matter here."""
    names = [
        "top.jpg",
        "cats/one.JPG",
        "cats/notes.txt",
        "cats/indoor/two.png",
        "dogs/three.webp",
        "dogs/.hidden.jpg",
        ".thumbnails/four.jpg",
    ]
    for name in names:
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path / "photos"


# -- local files


def test_a_folder_gives_its_images_at_every_depth_and_nothing_else(photos: Path) -> None:
    assert ids(photos) == ["top.jpg", "cats/one.JPG", "cats/indoor/two.png", "dogs/three.webp"]


def test_metadata_are_the_folder_within_the_root_and_its_name(photos: Path) -> None:
    metadata = {item.id: item.metadata for item in find(photos)[0]}
    assert metadata["top.jpg"] == {}
    assert metadata["cats/one.JPG"] == {"folder": "cats", "label": "cats"}
    assert metadata["cats/indoor/two.png"] == {"folder": "cats/indoor", "label": "indoor"}


def test_a_glob_is_taken_as_it_is_with_ids_from_before_its_first_wildcard(photos: Path) -> None:
    assert ids(f"{photos}/cats/**/*.*") == ["indoor/two.png", "notes.txt", "one.JPG"]


def test_a_file_is_taken_whatever_its_name(photos: Path) -> None:
    (photos / "scan").write_bytes(b"x")
    assert ids(photos / "scan") == ["scan"]


def test_a_folder_with_brackets_in_its_name_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "[2020]").mkdir()
    (tmp_path / "[2020]/a.jpg").write_bytes(b"x")
    assert ids(tmp_path / "[2020]") == ["a.jpg"]


def test_a_path_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no file or folder"):
        find(tmp_path / "nowhere")


def test_what_cannot_be_indexed_is_reported_and_stops_nothing(photos: Path) -> None:
    (photos / "dangling.jpg").symlink_to(photos / "nowhere")
    os.mkfifo(photos / "pipe.jpg")
    bad_name = os.fsdecode(os.fsencode(photos) + b"/\xff.jpg")
    Path(bad_name).write_bytes(b"x")
    long = photos.joinpath(*["d" * 200] * 3, "a.jpg")
    long.parent.mkdir(parents=True)
    long.write_bytes(b"x")
    found, failures = find(photos)
    assert len(found) == 4
    reasons = {Path(failure.path).name: failure.detail for failure in failures}
    assert reasons == {
        "dangling.jpg": "No such file or directory",
        "pipe.jpg": "Not a regular file.",
        "\\xff.jpg": "The file's name is not valid UTF-8.",
        "a.jpg": "The path is 608 characters long; ids have at most 512.",
    }


# -- manifests


def manifest(folder: Path, text: str, name: str = "rows.csv") -> Path:
    """A manifest beside images a.jpg and b.jpg."""
    for image in ("a.jpg", "b.jpg"):
        (folder / image).write_bytes(image.encode())
    path = folder / name
    path.write_text(text)
    return path


def test_a_csv_column_is_of_the_type_that_all_its_values_have(tmp_path: Path) -> None:
    text = (
        "path,zip,mixed,whole,flag,empty,case\n"
        "a.jpg,01234,1,7,TRUE,,12345678901234567890\n"
        "b.jpg,99999,x,,false,,12345678901234567891\n"
    )
    first, second = find(manifest(tmp_path, text))[0]
    case = "12345678901234567890"
    assert first.metadata == {"zip": "01234", "mixed": "1", "whole": 7, "flag": True, "case": case}
    assert second.metadata == {"zip": "99999", "mixed": "x", "flag": False, "case": case[:-1] + "1"}


@settings(deadline=None)  # it writes files
@given(
    values=st.lists(
        st.one_of(st.integers(-(10**14), 10**14), st.floats(allow_nan=False, allow_infinity=False)),
        min_size=1,
    )
)
def test_numbers_in_a_csv_come_back_as_they_went_in(
    values: list[float], tmp_path_factory: pytest.TempPathFactory
) -> None:
    lines = "".join(f"a.jpg,{value!r}\n" for value in values)
    found, _ = find(manifest(tmp_path_factory.mktemp("csv"), f"path,n\n{lines}"))
    assert [item.metadata["n"] for item in found] == values


def test_columns_of_ids_and_labels_are_as_named(tmp_path: Path) -> None:
    text = "photo,case,finding\na.jpg,17,cyst\nb.jpg,18,\n"
    named = {"path": "photo", "id": "case", "label": "finding"}
    first, second = find(manifest(tmp_path, text), **named)[0]
    assert (first.id, first.metadata) == ("17", {"finding": "cyst", "label": "cyst"})
    assert (second.id, second.metadata) == ("18", {})


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({}, "no column path, file, file_name, filename, image or url"),
        ({"path": "nowhere"}, "no column 'nowhere'; it has 'photo', 'age'"),
        ({"path": "photo", "id": "case"}, "no column 'case'"),
        ({"path": "photo", "label": "kind"}, "no column 'kind'"),
    ],
)
def test_a_column_that_is_missing_is_named_with_those_there_are(
    columns: dict[str, str], words: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match=words):
        find(manifest(tmp_path, "photo,age\na.jpg,3\n"), **columns)


def test_columns_are_for_manifests_alone(photos: Path) -> None:
    with pytest.raises(InvalidInput, match="has no columns"):
        find(photos, label="finding")
    assert len(find(photos, label="folder")[0]) == 4


def test_rows_that_say_nothing_usable_fail_alone(tmp_path: Path) -> None:
    lines = ['{"path": "a.jpg"}', "not json", "[1]", '{"path": 3}', '{"path": "b.jpg"}']
    found, failures = find(manifest(tmp_path, "\n".join(lines), "rows.jsonl"))
    assert [item.id for item in found] == ["a.jpg", "b.jpg"]
    assert [failure.code for failure in failures] == ["invalid_row"] * 3
    assert [failure.path.rpartition(":")[2] for failure in failures] == ["2", "3", "4"]


def test_a_row_longer_than_its_header_fails_alone(tmp_path: Path) -> None:
    found, failures = find(manifest(tmp_path, "path,n\na.jpg,1\nb.jpg,2,3\n"))
    assert ([item.id for item in found], len(failures)) == (["a.jpg"], 1)


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "rows.parquet", "list.txt", "s.zip"])
def test_a_file_that_is_not_what_its_name_says_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(b"\xff\xfe\x00broken \x81 file" * 40)
    with pytest.raises(InvalidInput, match=name):
        find(path)


def test_parquet_times_and_decimals_become_text_and_numbers(tmp_path: Path) -> None:
    import datetime
    import decimal

    (tmp_path / "a.jpg").write_bytes(b"a")
    day = datetime.date(2026, 1, 2)
    row = {"path": "a.jpg", "day": day, "price": decimal.Decimal("1.50"), "tags": ["x"]}
    parquet.write_table(pa.Table.from_pylist([row]), tmp_path / "rows.parquet")
    (item,) = find(tmp_path / "rows.parquet")[0]
    assert item.metadata == {"day": "2026-01-02", "price": 1.5, "tags": ["x"]}


def test_metadata_that_json_cannot_hold_is_left_out_or_refused() -> None:
    assert plain({"a": float("nan"), "b": [float("inf"), 1]}) == {"a": None, "b": [None, 1]}
    with pytest.raises(ValueError, match="bytes"):
        plain(b"x")


def test_a_list_with_labels_from_folders(tmp_path: Path) -> None:
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "a.jpg").write_bytes(b"a")
    path = manifest(tmp_path, "cat/a.jpg\nb.jpg\n", "list.txt")
    labels = [item.metadata for item in find(path, label="folder")[0]]
    assert labels == [{"label": "cat"}, {}]


# -- archives


def shard(path: Path, members: dict[str, bytes], mode: Any = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def test_siblings_in_a_shard_describe_their_image(tmp_path: Path) -> None:
    members = {
        "0001.cls": b"7",
        "0001.jpg": b"one",
        "0001.json": json.dumps({"age": 3, "none": None}).encode(),
        "0001.txt": b"a red shoe\n",
        "0001.bin": b"ignored",
        "0002.cls": b"boot",
        "0002.seg.png": b"two",
    }
    first, second = find(shard(tmp_path / "train-0.tar", members))[0]
    assert (first.id, first.read()) == ("train-0/0001.jpg", b"one")
    assert first.metadata == {"label": 7, "age": 3, "text": "a red shoe"}
    assert (second.id, second.metadata) == ("train-0/0002.seg.png", {"label": "boot"})


def test_a_description_that_cannot_be_read_fails_and_its_image_does_not(tmp_path: Path) -> None:
    members = {"1.jpg": b"one", "1.json": b"{", "2.jpg": b"two"}
    found, failures = find(shard(tmp_path / "s.tar", members))
    assert [item.read() for item in found] == [b"one", b"two"]
    assert [failure.code for failure in failures] == ["invalid_row"]


def test_a_shard_that_breaks_off_gives_what_it_has_and_says_so(tmp_path: Path) -> None:
    path = shard(tmp_path / "s.tar", {f"{i}.jpg": bytes([i]) * 5000 for i in range(9)})
    path.write_bytes(path.read_bytes()[:30_000])
    found, failures = find(path)
    assert 3 <= len(found) < 9
    assert [failure.code for failure in failures] == ["unreadable_source"]


def test_a_glob_of_shards_is_a_source_each(tmp_path: Path) -> None:
    for i in range(3):
        shard(tmp_path / f"train-{i}.tar", {"1.jpg": bytes([i])})
    assert ids(f"{tmp_path}/train-*.tar") == ["train-0/1.jpg", "train-1/1.jpg", "train-2/1.jpg"]


def test_a_broken_member_of_a_zip_fails_alone(tmp_path: Path) -> None:
    path = tmp_path / "s.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("1.jpg", b"first" * 100)
        archive.writestr("2.jpg", b"second" * 100)
    path.write_bytes(path.read_bytes().replace(b"firstfirst", b"firstFIRST", 1))
    (source,) = open_sources([path])
    first, second = (item for item in source.items() if isinstance(item, Item))
    with pytest.raises(Unreadable, match="CRC"):
        first.read()
    assert second.read() == b"second" * 100
    source.close()


def test_a_member_that_is_too_large_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lookalike_indexer.sources.archives.MAX_FILE_BYTES", 10)
    large, small = find(shard(tmp_path / "s.tar", {"1.jpg": b"x" * 11, "2.jpg": b"y"}))[0]
    with pytest.raises(Unreadable, match="more than the 10 bytes"):
        large.read()
    assert small.read() == b"y"


# -- addresses and URLs


def test_an_address_with_nothing_there_is_refused() -> None:
    with pytest.raises(InvalidInput, match="nothing at memory://none-such"):
        find("memory://none-such")
    with pytest.raises(InvalidInput, match="no-such-driver"):
        find("no-such-driver://x")


def test_hidden_files_and_folders_at_an_address_are_left_alone() -> None:
    memory = fsspec.filesystem("memory")
    for name in ("a.jpg", ".b.jpg", ".hidden/c.jpg", "d.txt"):
        memory.pipe_file(f"/hidden-test/{name}", b"x")
    assert ids("memory://hidden-test") == ["a.jpg"]


def fetched(*answers: httpx.Response | Exception) -> tuple[Fetcher, list[float]]:
    """A fetcher that gets these answers, and how long it slept in between."""
    left, slept = list(answers), list[float]()

    def handle(_: httpx.Request) -> httpx.Response:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    return Fetcher(httpx.MockTransport(handle), sleep=slept.append), slept


def test_a_busy_server_is_asked_again_when_it_says() -> None:
    busy = httpx.Response(429, headers={"Retry-After": "7"})
    fetcher, slept = fetched(busy, httpx.ConnectError("gone"), httpx.Response(200, content=b"x"))
    assert fetcher.fetch("http://x/a.jpg") == b"x"
    assert slept[0] >= 7
    assert len(slept) == 2
    fetcher.close()


def test_a_server_that_stays_away_is_given_up_with_the_reason() -> None:
    fetcher, slept = fetched(*[httpx.Response(503)] * 5)
    with pytest.raises(Unreadable, match="HTTP 503"):
        fetcher.fetch("http://x/a.jpg")
    assert len(slept) == 4
    fetcher.close()


def test_what_is_refused_is_not_asked_for_again() -> None:
    fetcher, slept = fetched(httpx.Response(403))
    with pytest.raises(Unreadable, match="HTTP 403"):
        fetcher.fetch("http://x/a.jpg")
    assert slept == []
    fetcher.close()


def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "MAX_FILE_BYTES", 10)
    fetcher, _ = fetched(httpx.Response(200, content=b"x" * 11))
    with pytest.raises(Unreadable, match="more than the 10 bytes"):
        fetcher.fetch("http://x/a.jpg")
    fetcher.close()


def test_an_url_too_long_for_an_id_says_so(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("http://x/" + "a" * items_module.LONGEST_ID)
    (failure,) = find(path)[1]
    assert "at most 512" in failure.detail
