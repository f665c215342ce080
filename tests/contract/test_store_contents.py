"""Copies and backups: everything arrives, between all kinds of store and through an archive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer import Typer
from typer.testing import CliRunner

from lookalike_service.errors import CollectionExists, InvalidField, UnknownCollection
from lookalike_service.store.archive import ArchiveSource, ArchiveTarget
from lookalike_service.store.contents import StoreSource, StoreTarget, copy
from lookalike_service.store.embedded import EmbeddedStore
from lookalike_service.store.point_store import PointStore
from lookalike_service.store_commands import store as command
from tests.contract.stores import STORES, collection, near, point, vector

N = 300  # more than one batch


@pytest.fixture(params=STORES)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PointStore]:
    with STORES[request.param](tmp_path / "source") as opened:
        fill(opened)
        yield opened


@pytest.fixture(params=STORES)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PointStore]:
    with STORES[request.param](tmp_path / "target") as opened:
        yield opened


def fill(store: PointStore) -> None:
    for name in ("one", "one-more"):
        store.create_collection(replace(collection(name), indexes={"metadata.a": "integer"}))
    with_thumbnail = replace(point(0, a=0), payload={**point(0, a=0).payload, "thumbnail": "QUJD"})
    store.upsert("one", [with_thumbnail, *(point(i, a=i) for i in range(1, N))])
    ids = [point(i).id for i in range(N)]
    store.write_labels("one", "k.1", ids, np.arange(N) % 5 - 1)
    store.write_labels("one", "some", ids[:7], np.full(7, 3))
    store.put_document("clustering", "one/k.1", {"size": N})
    store.put_arrays("clustering", "one/k.1", {"x": np.arange(4), "text": np.array(["é"])})
    store.put_document("clustering", "one-more/k", {"size": 0})
    store.put_document("job", "123", {"state": "running"})


def check(store: PointStore) -> None:
    """All of collection `one` is there, and nothing that is not its own."""
    assert [each.name for each in store.collections()] == ["one"]
    assert store.collection("one").indexes == {"metadata.a": "integer"}
    assert store.count("one") == N
    for i in (0, 1, 299):
        (record,) = store.retrieve("one", [point(i).id], vectors=True, thumbnails=True)
        labels = {"k.1": i % 5 - 1} | ({"some": 3} if i < 7 else {})
        thumbnail = {"thumbnail": "QUJD"} if i == 0 else {}
        assert record.payload == {**point(i, a=i).payload, **thumbnail, "clusters": labels}
        near(record.vector, vector(i))
    assert store.facets("one", "clusters.k.1") == [(label, 60) for label in range(-1, 4)]
    assert store.facets("one", "clusters.some") == [(3, 7)]
    kinds = [kind for kind, _, _ in store.every_document() if not kind.startswith("labels ")]
    assert kinds == ["clustering", "collection"]
    assert store.document("clustering", "one/k.1") == {"size": N}
    arrays = store.arrays("clustering", "one/k.1") or {}
    np.testing.assert_array_equal(arrays["x"], np.arange(4))
    np.testing.assert_array_equal(arrays["text"], np.array(["é"]))


def test_a_copy_holds_all_of_the_collection_and_nothing_else(
    source: PointStore, target: PointStore
) -> None:
    assert copy(StoreSource(source), StoreTarget(target), ["one"]) == {"one": N}
    check(target)


def test_a_backup_restored_into_another_store_is_the_same(
    source: PointStore, target: PointStore, tmp_path: Path
) -> None:
    copy(StoreSource(source), ArchiveTarget(tmp_path / "backup"))
    assert ArchiveSource(tmp_path / "backup").names() == ["one", "one-more"]
    assert copy(ArchiveSource(tmp_path / "backup"), StoreTarget(target), ["one"]) == {"one": N}
    check(target)


def test_what_the_target_has_is_not_touched(source: PointStore, tmp_path: Path) -> None:
    with pytest.raises(CollectionExists, match="'one'"):
        copy(StoreSource(source), StoreTarget(source))
    backup = tmp_path / "backup"
    copy(StoreSource(source), ArchiveTarget(backup), ["one"])
    with pytest.raises(CollectionExists, match="'one'"):
        copy(StoreSource(source), ArchiveTarget(backup), ["one"])
    with pytest.raises(UnknownCollection, match="nowhere"):
        copy(StoreSource(source), ArchiveTarget(backup), ["one-more", "nowhere"])
    assert [path.name for path in backup.iterdir()] == ["one"]


@pytest.mark.parametrize("file", ["vectors.f32", "points.jsonl", "documents.jsonl", "arrays/1.npy"])
def test_a_damaged_backup_is_refused_before_anything_is_written(tmp_path: Path, file: str) -> None:
    with STORES["memory"](tmp_path) as store, STORES["memory"](tmp_path) as other:
        fill(store)
        copy(StoreSource(store), ArchiveTarget(tmp_path / "backup"))
        path = tmp_path / "backup" / "one" / file
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(InvalidField, match=file):
            copy(ArchiveSource(tmp_path / "backup"), StoreTarget(other))
        assert other.collections() == []


def test_an_interrupted_backup_is_not_taken_for_one(tmp_path: Path) -> None:
    with STORES["memory"](tmp_path) as store:
        fill(store)
        target = ArchiveTarget(tmp_path / "backup")
        with pytest.raises(OSError, match="full"), target.receiving(store.collection("one")):
            raise OSError("disk full")
        assert ArchiveSource(tmp_path / "backup").names() == []
        assert copy(StoreSource(store), target, ["one"]) == {"one": N}


def run(*arguments: object) -> tuple[int, str]:
    app = Typer()
    app.command()(command)
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return done.exit_code, done.output


def test_the_command_copies_backs_up_and_restores(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path / "a")
    fill(store)
    assert run("copy", tmp_path / "a", tmp_path / "b")[0] == 1  # it is open
    store.close()
    assert run("copy", tmp_path / "a", tmp_path / "b", "--collection", "one") == (
        0,
        "one: 300 points\n",
    )
    assert run("backup", tmp_path / "b", tmp_path / "c") == (0, "one: 300 points\n")
    assert run("restore", tmp_path / "c", tmp_path / "d") == (0, "one: 300 points\n")
    restored = EmbeddedStore(tmp_path / "d")
    check(restored)
    restored.close()
    status, output = run("copy", tmp_path / "nothing", tmp_path / "e")
    assert status == 1
    assert "not the data folder" in output
    assert not (tmp_path / "nothing").exists()
