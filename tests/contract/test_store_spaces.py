"""A second space in every store: filled beside the first, written with it, exchanged at once, dropped."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from lookalike_service.errors import (
    CollectionExists,
    InvalidField,
    SpaceMismatch,
    UnknownCollection,
    UnknownImage,
)
from lookalike_service.spaces import Space
from lookalike_service.store.protocol import MADE_FROM, Point, Store, pinned
from tests.contract.stores import SPACE, STORES, collection, near, point, vector
from tests.fakes.store import FakeStore

WIDE = 12
TARGET = Space("other", "weights-9", "avg", "12x12", WIDE)
THIRD = replace(TARGET, weights="weights-10")
N = 20


@pytest.fixture(scope="module", params=[*STORES, "fake"])
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    if request.param == "fake":
        yield FakeStore()
        return
    with STORES[request.param](tmp_path_factory.mktemp(request.param)) as opened:
        yield opened


@pytest.fixture
def name(store: Store) -> str:
    """A collection of twenty points that has an empty second space."""
    name = f"c-{uuid.uuid4().hex}"
    store.create_collection(collection(name))
    store.upsert(name, [made(i) for i in range(N)])
    store.add_space(name, TARGET)
    return name


def made(i: int, sha256: str = "", *, both: bool = False, **metadata: Any) -> Point:
    """Point `i` with a hash; with `both`, its vector in the second space too."""
    one = point(i, **metadata)
    payload = {**one.payload, "sha256": sha256 or f"sha-{i}"}
    return replace(one, payload=payload, other=vector(i, WIDE) if both else None)


def theirs(i: int, sha256: str = "", **added: Any) -> Point:
    """What a migration writes for point `i`."""
    return Point(point(i).id, vector(i, WIDE), {"sha256": sha256 or f"sha-{i}"} | added)


def ids(count: int = N) -> list[str]:
    return [point(i).id for i in range(count)]


def filled(store: Store, name: str) -> None:
    assert store.fill(name, TARGET.id, [theirs(i) for i in range(N)]) == N


def keys_in(store: Store, name: str, space: Space) -> set[str]:
    found, _ = store.scroll(pinned(name, space.id), limit=100)
    return {record.payload["key"] for record in found}


def test_a_collection_goes_on_in_its_own_space_while_another_is_filled(
    store: Store, name: str
) -> None:
    assert store.lacking(name, TARGET.id, ids()) == ids()
    filled(store, name)
    assert store.lacking(name, TARGET.id, ids()) == []
    assert store.collection(name).space == SPACE
    assert store.query(name, vector(3), limit=1)[0].payload["key"] == "3"
    there = store.query(pinned(name, TARGET.id), vector(3, WIDE), limit=1)[0]
    assert (there.payload["key"], there.payload["sha256"]) == ("3", "sha-3")
    assert store.stats(pinned(name, TARGET.id)).points == N


def test_what_has_two_spaces_says_so_and_asks_for_both_vectors(store: Store, name: str) -> None:
    before = replace(store.collection(name), other=None)
    with pytest.raises(SpaceMismatch):
        store.upsert(name, [made(50)], made_for=before)
    assert store.count(name) == N
    store.upsert(name, [made(50, both=True)], made_for=store.collection(name))
    assert "50" in keys_in(store, name, TARGET)


def test_writes_reach_both_spaces(store: Store, name: str) -> None:
    filled(store, name)
    store.upsert(name, [made(0, "new", both=True), made(30, both=True)])
    store.set_payload(name, point(1).id, {"metadata": {"label": "cat"}})
    assert store.delete(name, [point(2).id]) == 1
    assert store.delete_matching(name, {"must": [{"has_id": ["4"]}]}) == 1
    for space, dim in ((SPACE, 8), (TARGET, WIDE)):
        at = pinned(name, space.id)
        assert store.count(at) == N - 1
        first, second, added = store.retrieve(
            at, [point(0).id, point(1).id, point(30).id], vectors=True
        )
        assert first.payload["sha256"] == "new"
        assert second.payload["metadata"] == {"label": "cat"}
        near(added.vector, vector(30, dim))


def test_a_point_without_a_vector_for_the_other_space_leaves_nothing_stale_there(
    store: Store, name: str
) -> None:
    filled(store, name)
    store.upsert(name, [made(0, "new")])
    assert store.lacking(name, TARGET.id, ids()) == [point(0).id]
    assert "0" not in keys_in(store, name, TARGET)


def test_what_changed_while_it_was_embedded_is_not_filled_in(store: Store, name: str) -> None:
    store.upsert(name, [made(0, "new")])
    store.delete(name, [point(1).id])
    store.upsert(name, [made(2, both=True)])
    written = store.fill(name, TARGET.id, [theirs(0), theirs(1), theirs(2), theirs(3)])
    assert written == 1
    assert keys_in(store, name, TARGET) == {"2", "3"}


def test_filling_takes_the_payload_as_it_is_now(store: Store, name: str) -> None:
    store.set_payload(name, point(0).id, {"metadata": {"a": 1}, "thumbnail": "QUJD"})
    store.fill(name, TARGET.id, [theirs(0, **{MADE_FROM: "thumbnail"})])
    (record,) = store.retrieve(pinned(name, TARGET.id), [point(0).id], thumbnails=True)
    assert record.payload["metadata"] == {"a": 1}
    assert (record.payload["thumbnail"], record.payload[MADE_FROM]) == ("QUJD", "thumbnail")
    store.switch_space(name, TARGET.id)
    # Filled back from the image itself, it is no longer of a thumbnail.
    store.delete(name, [point(1).id])
    store.drop_space(name, SPACE.id)
    store.add_space(name, SPACE)
    store.fill(name, SPACE.id, [made(0)])
    (record,) = store.retrieve(pinned(name, SPACE.id), [point(0).id])
    assert MADE_FROM not in record.payload


def test_what_drifted_apart_is_brought_in_line(store: Store, name: str) -> None:
    filled(store, name)
    stale = Point(point(5).id, vector(5), {**made(5).payload, "metadata": {"new": True}})
    store.switch_space(name, TARGET.id)
    store.drop_space(name, SPACE.id)
    store.add_space(name, SPACE)
    store.fill(name, SPACE.id, [made(i) for i in range(N)])
    store.set_payload(name, stale.id, {"metadata": {"new": True}, "source": None})
    assert store.lacking(name, SPACE.id, ids()) == []
    (record,) = store.retrieve(pinned(name, SPACE.id), [stale.id])
    assert record.payload["metadata"] == {"new": True}


def test_labels_are_of_the_image_whatever_space_answers(store: Store, name: str) -> None:
    filled(store, name)
    store.write_labels(name, "k", ids(), np.arange(N) % 2)
    store.switch_space(name, TARGET.id)
    only = {"must": [{"key": "clusters.k", "match": {"value": 1}}]}
    for at in (name, pinned(name, SPACE.id)):
        assert store.retrieve(at, [point(3).id])[0].payload["clusters"] == {"k": 1}
        assert store.count(at, only) == N // 2
    store.write_labels(name, "k", ids(), np.full(N, 7))
    store.switch_space(name, SPACE.id)
    assert store.retrieve(name, [point(3).id])[0].payload["clusters"] == {"k": 7}


def test_switching_there_and_back_loses_nothing(store: Store, name: str) -> None:
    filled(store, name)
    switched = store.switch_space(name, TARGET.id)
    assert switched == store.collection(name) == store.switch_space(name, TARGET.id)
    assert (switched.space, switched.spaces) == (TARGET, (TARGET, SPACE))
    added = replace(made(40), vector=vector(40, WIDE), other=vector(40))
    store.upsert(name, [added], made_for=switched)
    store.delete(name, [point(7).id])
    assert store.query(name, vector(40, WIDE), limit=1)[0].payload["key"] == "40"
    assert store.switch_space(name, SPACE.id).space == SPACE
    assert store.query(name, vector(40), limit=1)[0].payload["key"] == "40"
    assert store.count(name) == N
    assert store.create_collection(collection(name)) is False


def test_reads_that_began_in_a_space_end_in_it(store: Store, name: str) -> None:
    filled(store, name)
    before = store.collection(name)
    stream = store.vectors(before.pinned, batch=4)
    first = next(stream)[1]
    store.switch_space(name, TARGET.id)
    assert all(rows.shape[1] == first.shape[1] == 8 for _, rows in stream)
    assert store.query(before.pinned, vector(3), limit=1)[0].payload["key"] == "3"
    store.drop_space(name, SPACE.id)
    with pytest.raises(SpaceMismatch, match=SPACE.id):
        store.query(before.pinned, vector(3))


def test_a_space_that_is_dropped_is_gone_and_can_come_again(store: Store, name: str) -> None:
    filled(store, name)
    store.drop_space(name, TARGET.id)
    store.drop_space(name, TARGET.id)
    assert store.collection(name).spaces == (SPACE,)
    with pytest.raises(SpaceMismatch):
        store.fill(name, TARGET.id, [theirs(0)])
    with pytest.raises(SpaceMismatch):
        store.switch_space(name, TARGET.id)
    store.add_space(name, TARGET)
    store.add_space(name, TARGET)
    assert store.lacking(name, TARGET.id, ids()) == ids()


def test_a_second_space_must_be_the_only_one_and_another(store: Store, name: str) -> None:
    with pytest.raises(CollectionExists):
        store.add_space(name, THIRD)
    with pytest.raises(InvalidField):
        store.add_space(name, SPACE)
    with pytest.raises(SpaceMismatch):
        store.drop_space(name, SPACE.id)


def test_who_fills_the_wrong_space_is_refused(store: Store, name: str) -> None:
    filled(store, name)
    store.switch_space(name, TARGET.id)  # while a job still fills it
    for call in (store.lacking, store.fill):
        with pytest.raises(SpaceMismatch):
            call(name, TARGET.id, [])


def test_a_pinned_name_is_for_reading_alone(store: Store, name: str) -> None:
    at = pinned(name, SPACE.id)
    with pytest.raises(UnknownCollection):
        store.collection(at)
    with pytest.raises((UnknownCollection, UnknownImage)):
        store.set_payload(at, point(0).id, {"metadata": {}})


def test_a_dropped_collection_takes_both_spaces_along(store: Store, name: str) -> None:
    filled(store, name)
    store.delete_collection(name)
    store.create_collection(collection(name))
    store.add_space(name, TARGET)
    assert store.count(pinned(name, TARGET.id)) == store.count(name) == 0


def test_writers_and_a_migration_at_once_leave_both_spaces_alike(store: Store, name: str) -> None:
    def write(first: int) -> None:
        for i in range(first, first + 40):
            store.upsert(name, [made(i, f"v{i}", both=True)])
            if i % 3 == 0:
                store.delete(name, [point(i).id])
            store.set_payload(name, point(i % N).id, {"metadata": {"last": i}})

    def fill() -> None:
        for i in range(N):
            if store.lacking(name, TARGET.id, [point(i).id]):
                store.fill(name, TARGET.id, [theirs(i)])

    with ThreadPoolExecutor(2) as pool:
        writers = [pool.submit(write, first) for first in (100, 200)]
        while not all(writer.done() for writer in writers):
            fill()
        for writer in writers:
            writer.result()
    fill()  # what was begun before the writers ended
    everything, _ = store.scroll(name, limit=1000)
    assert store.lacking(name, TARGET.id, [record.id for record in everything]) == []
    copied, _ = store.scroll(pinned(name, TARGET.id), limit=1000)
    assert [(r.id, r.payload) for r in copied] == [(r.id, r.payload) for r in everything]


def test_readers_see_one_space_or_the_other_while_they_are_exchanged(
    store: Store, name: str
) -> None:
    filled(store, name)
    failures: list[str] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            found = store.collection(name)
            dim = found.space.dim
            hits = store.query(found.pinned, vector(3, dim), limit=3)
            if hits[0].payload["key"] != "3" or hits[0].score < 0.999 or len(hits) != 3:
                failures.append(f"{dim}: {hits}")

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(10):
        store.switch_space(name, TARGET.id)
        store.switch_space(name, SPACE.id)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures
