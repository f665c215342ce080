"""A remembered document is never one from before a write."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any, cast

import pytest

from lookalike_service.store.documents import Documents
from lookalike_service.store.engine import Engine
from lookalike_service.store.remembered_documents import RememberedDocuments


class Counted:
    """Stands for the documents in an engine: counts reads, and may hold one up."""

    def __init__(self) -> None:
        self.bodies: dict[tuple[str, str], dict[str, Any]] = {}
        self.reads = 0
        self.reading, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()

    def get(self, kind: str, key: str) -> dict[str, Any] | None:
        self.reads += 1
        found = self.bodies.get((kind, key))
        self.reading.set()
        assert self.go_on.wait(10)
        return found

    def put(self, kind: str, key: str, body: Mapping[str, Any]) -> None:
        self.bodies[kind, key] = dict(body)

    def delete(self, kind: str, key: str) -> None:
        self.bodies.pop((kind, key), None)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Counted:
    counted = Counted()
    for method in ("get", "put", "delete"):
        called = getattr(counted, method)
        monkeypatch.setattr(Documents, method, lambda _, *given, called=called: called(*given))
    return counted


@pytest.fixture
def documents(engine: Counted) -> RememberedDocuments:
    return RememberedDocuments(cast("Engine", engine))


def test_a_document_is_read_once(engine: Counted, documents: RememberedDocuments) -> None:
    documents.put("run", "a", {"k": 3})
    assert [documents.get("run", "a") for _ in range(5)] == [{"k": 3}] * 5
    assert engine.reads == 1


def test_that_there_is_none_is_remembered_until_there_is(
    engine: Counted, documents: RememberedDocuments
) -> None:
    assert [documents.get("run", "a") for _ in range(3)] == [None] * 3
    assert engine.reads == 1
    documents.put("run", "a", {})
    assert documents.get("run", "a") == {}


def test_a_write_and_a_deletion_are_seen_at_once(documents: RememberedDocuments) -> None:
    documents.put("run", "a", {"k": 3})
    assert documents.get("run", "a") == {"k": 3}
    documents.put("run", "a", {"k": 4})
    assert documents.get("run", "a") == {"k": 4}
    documents.delete("run", "a")
    assert documents.get("run", "a") is None


def test_who_changes_what_was_read_changes_no_one_elses(documents: RememberedDocuments) -> None:
    documents.put("run", "a", {"k": [1]})
    documents.get("run", "a")
    mine = documents.get("run", "a")
    assert mine is not None
    mine["k"].append(2)
    assert documents.get("run", "a") == {"k": [1]}


def test_a_document_read_while_it_is_written_is_not_remembered(
    engine: Counted, documents: RememberedDocuments
) -> None:
    documents.put("run", "a", {"k": 3})
    engine.reading.clear()
    engine.go_on.clear()
    reader = threading.Thread(target=documents.get, args=("run", "a"))
    reader.start()
    assert engine.reading.wait(10)  # it has the old one in its hands
    documents.put("run", "a", {"k": 4})
    engine.go_on.set()
    reader.join()
    assert documents.get("run", "a") == {"k": 4}


def test_long_documents_and_the_oldest_of_many_are_read_again(
    engine: Counted, documents: RememberedDocuments
) -> None:
    documents.put("run", "long", {"text": "x" * 100_000})
    for _ in range(2):
        documents.get("run", "long")
    assert engine.reads == 2
    for i in range(1_001):
        documents.get("run", str(i))
    engine.reads = 0
    documents.get("run", "1000")
    assert engine.reads == 0
    documents.get("run", "0")
    assert engine.reads == 1
