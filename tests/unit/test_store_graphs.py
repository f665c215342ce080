"""HNSW graphs of the embedded store: built beside the running engine, and what they must not lose."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from lookalike_service.errors import StoreUnavailable, UnknownCollection
from lookalike_service.spaces import Space
from lookalike_service.store.embedded import EmbeddedStore
from lookalike_service.store.generations import Generations
from lookalike_service.store.options import EmbeddedOptions
from lookalike_service.store.process import EngineProcess
from lookalike_service.store.protocol import Point, Stats, point_id
from tests.contract.stores import collection, vector

DIM = 16
SPACE = Space("fake", "weights-1", "avg", "16x16", DIM)
NEVER = 1e9


def points(*seeds: int, note: str = "") -> list[Point]:
    return [
        Point(point_id(str(seed)), vector(seed, DIM), {"key": str(seed), "metadata": {"n": note}})
        for seed in seeds
    ]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    """With 2,000 points, for which a graph would be built, but is not by itself."""
    opened = EmbeddedStore(tmp_path, EmbeddedOptions(index_from=1000), settle=NEVER)
    opened.create_collection(collection("c", SPACE))
    opened.create_index("c", "metadata.n", "keyword")
    opened.upsert("c", points(*range(2000)))
    yield opened
    opened.close()


def keys(store: EmbeddedStore, seed: int) -> list[str]:
    return [hit.payload["key"] for hit in store.query("c", vector(seed, DIM), limit=3)]


def test_small_collections_are_left_to_exact_search(store: EmbeddedStore) -> None:
    store.create_collection(collection("small", SPACE))
    store.upsert("small", points(*range(999)))
    assert not store.optimize("small")
    assert store.stats("small") == Stats(999, 0, building=False)


def test_a_graph_changes_no_answer_and_holds_every_point(store: EmbeddedStore) -> None:
    exact = [keys(store, seed) for seed in range(50)]
    assert store.optimize("c")
    assert store.stats("c") == Stats(2000, 2000, building=False)
    assert [keys(store, seed) for seed in range(50)] == exact
    assert store.facets("c", "metadata.n") == [("", 2000)]  # the payload index is there too
    assert not store.optimize("c")


def test_what_is_written_while_a_graph_is_built_is_in_it(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every kind of write, between the copy and the take-over."""
    store.write_labels("c", "k", [point_id("1"), point_id("2")], np.array([1, 2]))

    def optimize_and_write(self: EngineProcess, name: str) -> bool:
        assert store.stats("c").building
        store.upsert("c", points(5000, 3, note="late"))
        store.delete("c", [point_id("1")])
        store.delete_matching("c", {"must": [{"has_id": ["7"]}]})
        store.set_payload("c", point_id("4"), {"metadata": {"n": "set"}})
        store.create_index("c", "metadata.other", "integer")
        return bool(self._call("optimize", name))

    monkeypatch.setattr(EngineProcess, "optimize", optimize_and_write, raising=False)
    assert store.optimize("c")
    assert store.count("c") == 2000 - 2 + 1
    assert keys(store, 5000)[0] == "5000"
    assert [r.id for r in store.retrieve("c", [point_id("1"), point_id("7")])] == []
    late, was_set = store.retrieve("c", [point_id("3"), point_id("4")])
    assert late.payload["metadata"] == {"n": "late"}
    assert was_set.payload["metadata"] == {"n": "set"}
    assert store.retrieve("c", [point_id("2")])[0].payload["clusters"] == {"k": 2}
    assert store.facets("c", "metadata.other") == []


def test_a_collection_dropped_while_its_graph_is_built_stays_dropped(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def optimize_and_drop(self: EngineProcess, name: str) -> bool:
        store.delete_collection("c")
        return bool(self._call("optimize", name))

    monkeypatch.setattr(EngineProcess, "optimize", optimize_and_drop, raising=False)
    assert not store.optimize("c")
    with pytest.raises(UnknownCollection):
        store.count("c")
    store.create_collection(collection("c", SPACE))
    assert store.count("c") == 0


def test_searches_and_writes_are_answered_while_a_graph_is_built(store: EmbeddedStore) -> None:
    """None is lost or repeated to a reader at the moment another process takes over."""
    done, failures = threading.Event(), list[BaseException]()
    written: list[int] = []

    def search() -> None:
        try:
            while not done.is_set():
                assert keys(store, 11)[0] == "11"
                assert len({r.id for r in store.retrieve("c", [point_id("5")])}) == 1
        except BaseException as error:
            failures.append(error)
            raise

    def write() -> None:
        seed = 10_000
        while not done.is_set():
            store.upsert("c", points(seed))
            written.append(seed)
            seed += 1

    threads = [threading.Thread(target=search) for _ in range(2)] + [threading.Thread(target=write)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(2):
            store.optimize("c")
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert store.count("c") == 2000 + len(written)
    assert len(store.retrieve("c", [point_id(str(seed)) for seed in written])) == len(written)


def test_a_graph_is_built_by_itself_and_again_when_the_collection_has_grown(tmp_path: Path) -> None:
    with_graph = EmbeddedStore(tmp_path, EmbeddedOptions(index_from=1000), settle=0.1)
    with_graph.create_collection(collection("c", SPACE))
    with with_graph.loading("c"):
        with_graph.upsert("c", points(*range(1000)))
        assert with_graph.stats("c").indexed == 0
    eventually(lambda: with_graph.stats("c").indexed == 1000)
    with_graph.upsert("c", points(*range(1000, 1200)))  # a sixth: not yet worth it
    with_graph.upsert("c", points(*range(1200, 1300)))  # with these, a fifth
    eventually(lambda: with_graph.stats("c") == Stats(1300, 1300, building=False))
    with_graph.close()


def eventually(holds: object, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():  # type: ignore[operator]  # a lambda
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_reopening_finds_the_graph(store: EmbeddedStore, tmp_path: Path) -> None:
    store.optimize("c")
    store.upsert("c", points(3000))
    store.close()
    again = EmbeddedStore(tmp_path, EmbeddedOptions(index_from=1000), settle=NEVER)
    assert again.stats("c").indexed == 2000
    assert again.count("c") == 2001
    assert keys(again, 3000)[0] == "3000"
    again.delete_collection("c")
    assert list((tmp_path / "indexed").iterdir()) == []
    again.close()


def test_closing_gives_up_a_build_at_once(
    tmp_path: Path, store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker: list[psutil.Process] = []
    begun = threading.Event()

    def optimize_for_ever(self: EngineProcess, name: str) -> bool:
        worker.append(psutil.Process(self.pid))
        worker[0].suspend()  # as if it took minutes
        begun.set()
        return bool(self._call("optimize", name))

    monkeypatch.setattr(EngineProcess, "optimize", optimize_for_ever, raising=False)
    errors: list[BaseException] = []

    def build() -> None:
        try:
            store.optimize("c")
        except StoreUnavailable as error:
            errors.append(error)

    building = threading.Thread(target=build)
    building.start()
    begun.wait()
    store.close()
    building.join()
    assert len(errors) == 1
    assert not worker[0].is_running()
    again = EmbeddedStore(tmp_path, EmbeddedOptions(index_from=1000), settle=NEVER)
    assert again.count("c") == 2000
    assert list((tmp_path / "indexed").iterdir()) == []
    again.close()


def test_builds_without_a_marker_and_older_ones_are_cleared(tmp_path: Path) -> None:
    generations = Generations(tmp_path)
    first, second = generations.begin("a.b"), generations.begin("a.b")
    generations.serve(first)
    generations.serve(second)
    begun = generations.begin("a.b")
    (begun / "half").write_bytes(b"x")
    assert Generations(tmp_path).opened() == {"a.b": second}
    assert [path.name for path in tmp_path.iterdir()] == ["a.b@2"]
    assert generations.begin("a.b").name == "a.b@3"
