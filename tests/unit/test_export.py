"""Clusters as tables and as pictures."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from lookalike_service.errors import StoreUnavailable, UnknownCluster, UnknownClustering
from lookalike_service.schemas.cluster_versions import ClusteringPatch
from lookalike_service.settings import Settings
from lookalike_service.store.protocol import Point, point_id
from lookalike_service.workflows import clustering, labelling
from lookalike_service.workflows.cluster_notes import annotate
from lookalike_service.workflows.export import COLUMNS, pages, prepare
from lookalike_service.workflows.export_archive import zip_chunks
from lookalike_service.workflows.export_tables import csv_chunks, jsonl_chunks, parquet_chunks
from tests.fakes.analyses import CLOUD, NAME, Meanwhile, clustered, labels, numbered, two_blobs
from tests.fakes.service import fake_service
from tests.pictures import jpeg

PICTURES = {str(i): f"original {i}".encode() for i in range(50)}


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "jobs").mkdir()
    return numbered(tmp_path / "jobs")


@pytest.fixture
def store(folders: Iterator[Path]) -> Meanwhile:
    """Two blobs, clustered as `kmeans`; every image's source is its key, and its thumbnail says so."""
    store = two_blobs()
    for i, vector in enumerate(CLOUD.points):
        payload = {
            "key": str(i),
            "source": f"{i}.jpg",
            "sha256": hashlib.sha256(PICTURES[str(i)]).hexdigest(),
            "width": 3,
            "height": 2,
            "format": "JPEG",
            "indexed_at": "2026-01-01T00:00:00+00:00",
            "metadata": {"says": 'a, "b"\n=ü', "i": i},
            "thumbnail": base64.b64encode(f"small {i}".encode()).decode(),
        }
        store.upsert(NAME, [Point(point_id(str(i)), vector, payload)])
    clustered(store, next(folders))
    patch = ClusteringPatch.model_validate({"clusters": {"1": {"name": "odd/ones"}}})
    annotate(store, NAME, clustering.get(store, NAME, "kmeans"), patch)
    return store


def read_zip(
    store: Meanwhile, pictures: Any = "any", *, only: tuple[int, ...] = (), **settings: Any
) -> tuple[dict[str, bytes], list[dict[str, Any]]]:
    """The files of an archive, and its list."""
    export = prepare(store, NAME, "kmeans", only)
    data = b"".join(zip_chunks(store, export, Settings(**settings), pictures))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        files = {name: archive.read(name) for name in archive.namelist()}
    told = files.pop("images.jsonl").decode().splitlines()
    return files, [json.loads(line) for line in told]


def test_csv_json_lines_and_parquet_tell_the_same_of_every_image(store: Meanwhile) -> None:
    store.upsert(NAME, [late := _late(store)])
    labelling.label_new(store, store.collection(NAME), {late.id: {}})
    export = prepare(store, NAME, "kmeans", [])
    text = b"".join(csv_chunks(store, export)).decode()
    as_csv = list(csv.DictReader(io.StringIO(text)))
    lines = b"".join(jsonl_chunks(store, export)).decode().splitlines()
    as_json = [json.loads(line) for line in lines]
    as_parquet = pq.read_table(io.BytesIO(b"".join(parquet_chunks(store, export)))).to_pylist()
    written = labels(store)
    assert {row["id"]: row["label"] for row in as_json} == written
    assert len(as_json) == 51
    for row, text_row, typed in zip(as_json, as_csv, as_parquet, strict=True):
        assert tuple(row) == tuple(text_row) == tuple(typed) == COLUMNS
        assert typed | {"metadata": json.loads(typed["metadata"])} == row
        assert json.loads(text_row["metadata"]) == row["metadata"]
        assert text_row["label"] == str(row["label"])
        assert row["cluster"] == {0: None, 1: "odd/ones"}[row["label"]]
        assert (row["confidence"] is None) == (row["id"] != "late")
    assert as_json[0]["metadata"]["says"] == 'a, "b"\n=ü'


def _late(store: Meanwhile) -> Point:
    (record,) = store.retrieve(NAME, [point_id("0")], vectors=True, thumbnails=True)
    assert record.vector is not None
    kept = {k: v for k, v in record.payload.items() if k != "clusters"}
    return Point(point_id("late"), record.vector, kept | {"key": "late"})


def test_some_clusters_are_exported_alone_and_noise_is_one(store: Meanwhile) -> None:
    store.write_labels(NAME, "kmeans", [point_id("0"), point_id("1")], np.array([-1, -1]))
    export = prepare(store, NAME, "kmeans", [-1])
    rows = [row for page in pages(store, export, size=1) for row, _ in page]
    assert {row["id"]: row["label"] for row in rows} == {"0": -1, "1": -1}
    assert export.file_name == "c-kmeans--1"
    both = prepare(store, NAME, "kmeans", [1, -1, 1])
    found = {row["label"] for page in pages(store, both, size=7) for row, _ in page}
    assert found == {-1, 1}


@pytest.mark.parametrize("label", [2, -2])
def test_a_cluster_that_is_none_is_refused(store: Meanwhile, label: int) -> None:
    with pytest.raises(UnknownCluster, match="0 to 1"):
        prepare(store, NAME, "kmeans", [0, label])
    with pytest.raises(UnknownClustering):
        prepare(store, NAME, "none", [])


def test_an_export_breaks_off_when_the_clustering_is_made_anew_meanwhile(
    store: Meanwhile, folders: Iterator[Path]
) -> None:
    export = prepare(store, NAME, "kmeans", [])
    reading = pages(store, export, size=20)
    next(reading)
    clustered(store, next(folders))
    with pytest.raises(StoreUnavailable, match="was replaced while it was exported"):
        list(reading)


def test_pictures_are_originals_where_they_are_unchanged_else_thumbnails(
    store: Meanwhile, tmp_path: Path
) -> None:
    originals = tmp_path / "originals"
    originals.mkdir()
    for key in ("0", "1"):
        (originals / f"{key}.jpg").write_bytes(PICTURES[key])
    (originals / "2.jpg").write_bytes(b"another picture by now")
    files, told = read_zip(store, originals=originals)
    by_id = {row["id"]: row for row in told}
    assert len(files) == len(told) == 50
    assert [by_id[key]["made_from"] for key in "012"] == ["original", "original", "thumbnail"]
    assert files[by_id["0"]["file"]] == PICTURES["0"]
    assert files[by_id["2"]["file"]] == b"small 2"
    for row in told:
        folder, name = row["file"].split("/")
        assert (folder, name) == ({0: "0", 1: "1 odd_ones"}[row["label"]], f"{row['id']}.jpg")


def test_what_has_no_picture_of_the_wanted_kind_is_listed_without_a_file(
    store: Meanwhile, tmp_path: Path
) -> None:
    (tmp_path / "0.jpg").write_bytes(PICTURES["0"])
    files, told = read_zip(store, "original", originals=tmp_path)
    assert list(files.values()) == [PICTURES["0"]]
    assert sum(row["file"] is None for row in told) == 49
    assert {row["made_from"] for row in told} == {"original", None}
    small, told = read_zip(store, "thumbnail", only=(1,), originals=tmp_path)
    assert set(small.values()) == {f"small {row['id']}".encode() for row in told}
    assert {row["label"] for row in told} == {1}


def test_no_file_outside_the_allowed_folder_is_read_for_an_export(
    store: Meanwhile, tmp_path: Path
) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret").write_bytes(PICTURES["0"])
    for source in ("../secret", str(tmp_path / "secret")):
        store.set_payload(NAME, point_id("0"), {"source": source})
        for allowed in (None, inside):
            files, _ = read_zip(store, "original", originals=allowed)
            assert files == {}


@pytest.mark.parametrize(
    ("ids", "names"),
    [
        (["../../etc/passwd"], ["_.._etc_passwd.jpg"]),
        (["/", "a/b.png"], ["_.jpg", "a_b.png.jpg"]),
        (["A.jpg", "a.JPG"], ["A.jpg", "a (2).JPG"]),
        (["nul\0\n"], ["nul__.jpg"]),
        (["ü" * 300 + ".jpeg"], ["ü" * 57 + ".jpeg"]),
    ],
)
def test_any_id_becomes_a_file_name_that_is_safe_and_its_own(
    store: Meanwhile, ids: list[str], names: list[str]
) -> None:
    keep = [point_id(str(i)) for i in range(len(ids))]
    store.delete(NAME, [point_id(str(i)) for i in range(len(ids), 50)])
    for id, key in zip(keep, ids, strict=True):
        store.set_payload(NAME, id, {"key": key})
    store.write_labels(NAME, "kmeans", keep, np.zeros(len(keep), np.int64))
    files, told = read_zip(store, "thumbnail")
    by_id = {row["id"]: row["file"] for row in told}
    # Which of two equal names comes first is in the order of the points' ids.
    assert sorted(by_id[id].lower() for id in ids) == sorted(f"0/{name}".lower() for name in names)
    assert len(files) == len(ids)


def test_exports_are_streamed_over_http(folders: Iterator[Path]) -> None:
    with fake_service() as service:
        client = service.client
        assert client.put("/v1/collections/c", json={}).is_success
        files = [("images", jpeg(seed=i)) for i in range(4)]
        assert client.post("/v1/collections/c/images", files=files).is_success
        clustered(service.store, next(folders), name="two")
        url = "/v1/collections/c/clusterings/two/export"
        answers = {kind: client.get(url, params={"format": kind}) for kind in MEDIA}
        for kind, answer in answers.items():
            assert answer.headers["content-type"].split(";")[0] == MEDIA[kind]
            assert answer.headers["content-disposition"].endswith(f"c-two.{kind}")
            assert "content-length" not in answer.headers
        assert len(answers["csv"].text.splitlines()) == 5
        assert len(answers["jsonl"].text.splitlines()) == 4
        assert pq.read_table(io.BytesIO(answers["parquet"].content)).num_rows == 4
        with zipfile.ZipFile(io.BytesIO(answers["zip"].content)) as archive:
            assert len(archive.namelist()) == 5
            assert archive.read(archive.namelist()[0]).startswith(b"\xff\xd8")
        one = client.get(url, params={"format": "jsonl", "label": [1]})
        assert {json.loads(line)["label"] for line in one.text.splitlines()} == {1}
        wrong = client.get(url, params={"label": 9})
        assert (wrong.status_code, wrong.json()["code"]) == (404, "unknown_cluster")
        assert client.get(url, params={"format": "xls"}).status_code == 422


MEDIA = {
    "csv": "text/csv",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "zip": "application/zip",
}
