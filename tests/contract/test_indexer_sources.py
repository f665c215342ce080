"""What every kind of source must keep: the same images in every run, read lazily, each with its story."""

from __future__ import annotations

import csv
import io
import json
import os
import pickle
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import pyarrow as pa
import pytest
from pyarrow import parquet

from lookalike_indexer.report import FileFailure
from lookalike_indexer.sources.item import Item, Source
from lookalike_indexer.sources.opening import open_sources

IMAGES = {"a/1.jpg": b"first", "a/2.png": b"second image", "b/3.jpg": b"the third"}
ROWS = [
    {"path": name, "age": 30 + i, "score": i / 4, "sound": i == 1, "note": f"n{i}"}
    for i, name in enumerate(IMAGES)
]

Make = Callable[[Path], list[str]]
"""Puts IMAGES below a folder, in a form of its own; what to open."""


def files(root: Path) -> Path:
    for name, data in IMAGES.items():
        path = root / "pictures" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root / "pictures"


def folder(root: Path) -> list[str]:
    return [str(files(root))]


def glob(root: Path) -> list[str]:
    return [f"{files(root)}/**/*.*"]


def single_files(root: Path) -> list[str]:
    return [str(files(root) / name) for name in IMAGES]


def csv_manifest(root: Path, suffix: str = ".csv", delimiter: str = ",") -> list[str]:
    path = files(root) / f"rows{suffix}"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(ROWS[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(ROWS)
    return [str(path)]


def json_manifest(root: Path) -> list[str]:
    path = files(root) / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return [str(path)]


def parquet_manifest(root: Path) -> list[str]:
    path = files(root) / "rows.parquet"
    parquet.write_table(pa.Table.from_pylist(ROWS), path)
    return [str(path)]


def text_list(root: Path) -> list[str]:
    path = files(root) / "list.txt"
    path.write_text("\n".join(IMAGES) + "\n\n")
    return [str(path)]


def tar(root: Path, suffix: str = ".tar", mode: str = "w") -> list[str]:
    path = root / f"shard{suffix}"
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload] # a mode of the parameters
        for name, data in IMAGES.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return [str(path)]


def zip_file(root: Path) -> list[str]:
    with zipfile.ZipFile(root / "shard.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in IMAGES.items():
            archive.writestr(name, data)
    return [str(root / "shard.zip")]


def remote(root: Path) -> str:
    """A folder in fsspec's memory, of this test alone."""
    at = f"memory://{root.name}"
    for name, data in IMAGES.items():
        fsspec.filesystem("memory").pipe_file(f"/{root.name}/{name}", data)
    return at


def address(root: Path) -> list[str]:
    return [remote(root)]


def address_glob(root: Path) -> list[str]:
    return [f"{remote(root)}/*/*.*g"]


def address_manifest(root: Path) -> list[str]:
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    fsspec.filesystem("memory").pipe_file(f"/{root.name}/rows.jsonl", lines.encode())
    return [f"{remote(root)}/rows.jsonl"]


def address_zip(root: Path) -> list[str]:
    data = Path(*zip_file(root)).read_bytes()
    fsspec.filesystem("memory").pipe_file(f"/{root.name}/shard.zip", data)
    return [f"memory://{root.name}/shard.zip"]


@contextmanager
def web(root: Path) -> Iterator[str]:
    """The folder behind a loopback server."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    handler = partial(Handler, directory=str(files(root)))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


LOCAL: list[Make] = [folder, glob, single_files]
MANIFESTS: list[Make] = [
    csv_manifest,
    partial(csv_manifest, suffix=".tsv", delimiter="\t"),
    json_manifest,
    parquet_manifest,
    address_manifest,
]
ARCHIVES: list[Make] = [tar, partial(tar, suffix=".tar.gz", mode="w:gz"), zip_file, address_zip]
ADDRESSES: list[Make] = [address, address_glob]
EVERY: list[Make] = [*LOCAL, *MANIFESTS, text_list, *ARCHIVES, *ADDRESSES]


def named(make: Any) -> str:
    name: str = getattr(make, "func", make).__name__
    return name + str(getattr(make, "keywords", {}).get("suffix", ""))


every = pytest.mark.parametrize("make", EVERY, ids=named)


@contextmanager
def opened(given: list[str]) -> Iterator[list[Source]]:
    sources = open_sources(given)
    try:
        yield sources
    finally:
        for source in sources:
            source.close()


def listed(sources: list[Source]) -> list[Item]:
    """All items; there are no failures."""
    found = [item for source in sources for item in source.items()]
    assert not [item for item in found if isinstance(item, FileFailure)]
    return [item for item in found if isinstance(item, Item)]


@every
def test_every_image_is_given_once_with_its_bytes(make: Make, tmp_path: Path) -> None:
    with opened(make(tmp_path)) as sources:
        items = listed(sources)
        assert [item.read() for item in items] == list(IMAGES.values())
        assert len({item.id for item in items}) == len(IMAGES)
        assert all(item.size in (None, len(item.read())) for item in items)


@every
def test_a_second_run_gives_the_same(make: Make, tmp_path: Path) -> None:
    given = make(tmp_path)
    with opened(given) as sources:
        first = [(i.id, i.source, i.stamp, i.metadata) for i in listed(sources)]
        keys = [source.key for source in sources]
        assert [(i.id, i.source, i.stamp, i.metadata) for i in listed(sources)] == first
    with opened(given) as sources:
        assert [(i.id, i.source, i.stamp, i.metadata) for i in listed(sources)] == first
        assert [source.key for source in sources] == keys


@every
def test_what_is_counted_is_what_comes(make: Make, tmp_path: Path) -> None:
    with opened(make(tmp_path)) as sources:
        for source in sources:
            assert source.count() in (None, len(list(source.items())))


@every
def test_items_are_read_from_any_thread_in_any_order(make: Make, tmp_path: Path) -> None:
    with opened(make(tmp_path)) as sources, ThreadPoolExecutor(4) as pool:
        items = listed(sources) * 20
        data = pool.map(lambda item: item.read(), reversed(items))
        assert list(data) == (list(IMAGES.values()) * 20)[::-1]


@every
def test_a_pickled_item_is_read_elsewhere_though_its_source_is_closed(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = [one if "://" in one else os.path.relpath(one) for one in make(tmp_path)]
    with opened(given) as sources:
        pickled = [pickle.dumps(item) for item in listed(sources)]
    monkeypatch.chdir("/")
    items = [pickle.loads(item) for item in pickled]  # noqa: S301 - made above
    assert [item.read() for item in items] == list(IMAGES.values())


def test_of_a_member_of_a_plain_tar_only_its_place_is_pickled(tmp_path: Path) -> None:
    with opened(tar(tmp_path)) as sources:
        for item in listed(sources):
            assert item.read() not in pickle.dumps(item)


@every
def test_metadata_can_be_sent_as_json(make: Make, tmp_path: Path) -> None:
    with opened(make(tmp_path)) as sources:
        for item in listed(sources):
            assert json.loads(json.dumps(item.metadata, allow_nan=False)) == item.metadata
            assert item.source


@every
def test_an_image_that_changed_has_another_stamp_or_none(make: Make, tmp_path: Path) -> None:
    with opened(make(tmp_path)) as sources:
        before = {item.id: item.stamp for item in listed(sources)}
    IMAGES["a/1.jpg"] = b"changed, and longer"
    try:
        with opened(make(tmp_path)) as sources:
            items = listed(sources)
            assert next(item for item in items if "1.jpg" in item.id).read() == IMAGES["a/1.jpg"]
            after = {item.id: item.stamp for item in items}
    finally:
        IMAGES["a/1.jpg"] = b"first"
    changed = next(id for id in after if "1.jpg" in id)
    assert after[changed] == "" or after[changed] != before[changed]


@pytest.mark.parametrize("make", MANIFESTS, ids=named)
def test_columns_are_typed_metadata(make: Make, tmp_path: Path) -> None:
    with opened(make(tmp_path)) as sources:
        found = {item.id: item.metadata for item in listed(sources)}
    for row in ROWS:
        wanted = {name: value for name, value in row.items() if name != "path"}
        metadata = found[str(row["path"])]
        assert metadata == wanted
        assert {n: type(v) for n, v in metadata.items()} == {n: type(v) for n, v in wanted.items()}


@pytest.mark.parametrize("make", [folder, zip_file, tar, address], ids=named)
def test_the_folder_gives_folder_and_label(make: Make, tmp_path: Path) -> None:
    with opened(make(tmp_path)) as sources:
        labels = [item.metadata["label"] for item in listed(sources)]
        assert labels == ["a", "a", "b"]
        assert dict(sources[0].fields) == {
            "metadata.folder": "keyword",
            "metadata.label": "keyword",
        }


@pytest.mark.parametrize("make", [csv_manifest, json_manifest, parquet_manifest, text_list])
def test_a_missing_image_fails_alone(make: Make, tmp_path: Path) -> None:
    given = make(tmp_path)
    (tmp_path / "pictures" / "a/2.png").unlink()
    with opened(given) as sources:
        found = [item for source in sources for item in source.items()]
    kinds = [type(item) for item in found]
    assert kinds == [Item, FileFailure, Item]
    assert isinstance(found[1], FileFailure)
    assert found[1].code == "unreadable_file"
    assert found[1].path == str(tmp_path / "pictures/a/2.png")


def test_urls_are_fetched_and_a_missing_one_says_its_status(tmp_path: Path) -> None:
    with web(tmp_path) as base:
        listing = tmp_path / "urls.txt"
        listing.write_text("".join(f"{base}/{name}\n" for name in [*IMAGES, "none.jpg"]))
        with opened([str(listing)]) as sources:
            items = listed(sources)
            assert [item.read() for item in items[:3]] == list(IMAGES.values())
            assert items[0].id == f"{base}/a/1.jpg"
            elsewhere = pickle.loads(pickle.dumps(items[1]))  # noqa: S301 - made here
            assert elsewhere.read() == IMAGES["a/2.png"]
            with pytest.raises(Exception, match="HTTP 404"):
                items[3].read()
        with opened([f"{base}/b/3.jpg"]) as sources:
            assert [item.read() for item in listed(sources)] == [IMAGES["b/3.jpg"]]


@pytest.mark.parametrize("as_json", [False, True])
def test_standard_input_is_paths_or_json_lines(as_json: bool, tmp_path: Path) -> None:
    root = files(tmp_path)
    paths = [str(root / name) for name in IMAGES]
    lines = [json.dumps({"path": path, "age": 3}) if as_json else path for path in paths]
    stdin = io.StringIO("\n".join(lines))
    (source,) = open_sources(["-"], stdin=stdin)
    with closing(source):
        items = listed([source])
        assert [item.read() for item in items] == list(IMAGES.values())
        assert [item.id for item in items] == paths
        assert [dict(item.metadata) for item in items] == [{"age": 3} if as_json else {}] * 3
        assert source.count() == 3
