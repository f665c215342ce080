"""Full disks, folders of other versions, settings that a kind of store cannot meet."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lookalike_service.errors import Conflict, Internal, InvalidField, StoreUnavailable
from lookalike_service.store import disk_room
from lookalike_service.store.edge_engine import EdgeEngine
from lookalike_service.store.embedded import EmbeddedStore
from lookalike_service.store.embedded_engine import LABELS
from lookalike_service.store.factory import open_store
from lookalike_service.store.filters import EVERYTHING
from lookalike_service.store.options import EmbeddedOptions
from lookalike_service.store.protocol import point_id
from tests.contract.stores import collection, point, settings, vector


def test_a_full_disk_refuses_writes_and_still_answers_searches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = EmbeddedStore(tmp_path)
    store.create_collection(collection("c"))
    store.upsert("c", [point(1)])
    with monkeypatch.context() as full:
        full.setattr(disk_room, "_RESERVE", 2**62)
        for write in (
            lambda: store.upsert("c", [point(2)]),
            lambda: store.delete("c", [point_id("1")]),
            lambda: store.put_document("job", "1", {}),
        ):
            with pytest.raises(StoreUnavailable, match="MiB left"):
                write()
        assert store.query("c", vector(1))[0].payload["key"] == "1"
    store.upsert("c", [point(2)])
    assert store.count("c") == 2
    store.close()


def test_a_collection_that_cannot_be_opened_says_so_and_leaves_the_others(tmp_path: Path) -> None:
    engine = EdgeEngine(tmp_path / "collections", tmp_path / LABELS)
    for name in ("sound", "torn"):
        engine.create(name, "space", 4)
    engine.close()
    (tmp_path / "collections" / "torn" / "edge_config.json").write_bytes(b"torn")
    engine = EdgeEngine(tmp_path / "collections", tmp_path / LABELS)
    assert engine.count("sound", EVERYTHING) == 0
    for call in (
        lambda: engine.count("torn", EVERYTHING),
        lambda: engine.upsert("torn", [point_id("1")], [{}]),
    ):
        with pytest.raises(Internal, match=r"'torn' cannot be opened.*index its images") as raised:
            call()
        assert str(tmp_path) not in raised.value.detail
    engine.drop("torn")
    engine.create("torn", "space", 4)
    assert engine.count("torn", EVERYTHING) == 0
    engine.close()


def test_a_write_that_the_disk_refuses_says_so_and_loses_nothing(tmp_path: Path) -> None:
    """As on a quota, or a disk that others filled: the engine's own files can grow no more."""
    store = EmbeddedStore(tmp_path)
    store.create_collection(collection("c"))
    store.upsert("c", [point(0)])
    pid = store.engine._shared.pid  # of the process that has small collections
    assert pid is not None
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (2**20, resource.RLIM_INFINITY))
    acknowledged, error = written_until_refused(store)
    assert "no room on the disk" in error.detail
    assert store.query("c", vector(0), limit=1)[0].payload["key"] == "0"
    assert store.count("c") >= acknowledged
    unlimited = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
    store.upsert("c", [point(10**6)])
    store.close()
    reopened = EmbeddedStore(tmp_path)
    written = {record.payload["key"] for record in reopened.scroll("c", limit=100_000)[0]}
    assert {*map(str, range(acknowledged)), str(10**6)} <= written
    reopened.close()


def written_until_refused(store: EmbeddedStore) -> tuple[int, StoreUnavailable]:
    """How many points 0, 1… were acknowledged, and why not more."""
    noise = [os.urandom(4000).hex() for _ in range(100)]  # nothing that compresses
    for first in range(1, 50_000, len(noise)):
        try:
            store.upsert("c", [point(first + i, x=text) for i, text in enumerate(noise)])
        except StoreUnavailable as error:
            return first, error
    raise AssertionError("it was never refused")


def test_labels_that_find_no_room_leave_the_old_ones(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path)
    store.create_collection(collection("c"))
    ids = [point_id(str(i)) for i in range(2000)]
    store.upsert("c", [point(i) for i in range(2000)])
    store.write_labels("c", "k", ids, np.zeros(2000, np.int64))
    pages = store._labels._writer.execute("PRAGMA page_count").fetchone()[0]  # type: ignore[attr-defined]  # of the table
    store._labels._writer.execute(f"PRAGMA max_page_count = {pages}")  # type: ignore[attr-defined]
    with pytest.raises(StoreUnavailable, match="full"):
        store.write_labels("c", "other", ids, np.ones(2000, np.int64))
    assert {str(r.payload["clusters"]) for r in store.retrieve("c", ids)} == {"{'k': 0}"}
    store.close()


@pytest.mark.parametrize(
    "written", [{"format": 0, "engine": "x"}, {"format": 1, "engine": "qdrant-edge-py 0.8.0"}, None]
)
def test_a_folder_of_another_version_is_refused_and_left_alone(
    tmp_path: Path, written: dict[str, Any] | None
) -> None:
    EmbeddedStore(tmp_path).close()
    if written is None:
        (tmp_path / "format.json").unlink()
    else:
        (tmp_path / "format.json").write_text(json.dumps(written))
    before = sorted(path.name for path in tmp_path.rglob("*"))
    for _ in range(2):  # and it is not left locked
        with pytest.raises(Conflict, match="lookalike store backup"):
            EmbeddedStore(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


REFUSED = [
    ({"shards": 2}, "LOOKALIKE_SHARDS"),
    ({"replicas": 3}, "LOOKALIKE_REPLICAS"),
    ({"write_consistency": 2}, "LOOKALIKE_WRITE_CONSISTENCY"),
    ({"qdrant_url": "http://localhost:6333", "ack": "durable"}, "LOOKALIKE_ACK"),
    ({"qdrant_url": "http://localhost:6333", "write_consistency": 2}, "no write would ever count"),
]


@pytest.mark.parametrize(("values", "says"), REFUSED)
def test_a_setting_that_the_store_cannot_meet_is_refused(
    tmp_path: Path, values: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidField, match=says):
        open_store(settings(data=tmp_path, **values))


@pytest.mark.parametrize("quantization", ["scalar", "binary"])
@pytest.mark.parametrize("on_disk", [False, True])
def test_a_quantised_graph_scores_its_hits_in_full(
    tmp_path: Path, quantization: Any, on_disk: bool
) -> None:
    options = EmbeddedOptions(index_from=500, quantization=quantization, vectors_on_disk=on_disk)
    store = EmbeddedStore(tmp_path, options, settle=1e9)
    store.create_collection(collection("c"))
    store.upsert("c", [point(i) for i in range(600)])
    exact = [store.query("c", vector(seed), limit=3) for seed in range(20)]
    assert store.optimize("c")
    found = [store.query("c", vector(seed), limit=3) for seed in range(20)]
    assert [hits[0] for hits in found] == [hits[0] for hits in exact]  # score and all
    stored = json.loads((tmp_path / "indexed" / "c@1" / "c" / "edge_config.json").read_bytes())
    assert quantization in json.dumps(stored)
    store.close()


def test_durable_syncs_before_it_acknowledges(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path, EmbeddedOptions(durable=True))
    store.create_collection(collection("c"))
    store.upsert("c", [point(i) for i in range(5)])
    ((synchronous,),) = store._labels._writer.execute("PRAGMA synchronous")  # type: ignore[attr-defined]  # of the table
    assert synchronous == 2  # FULL
    for process in store.engine.processes():
        assert process.unflushed() == 0
    store.close()
