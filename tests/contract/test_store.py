"""What every store must do: embedded, in the client's memory, and on a server if QDRANT_URL is set."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lookalike_service.errors import (
    CollectionExists,
    InvalidField,
    InvalidFilter,
    InvalidVector,
    UnknownCollection,
    UnknownImage,
    WrongDimension,
)
from lookalike_service.schemas.collections import MOST_DECLARED
from lookalike_service.schemas.metadata import DEEPEST
from lookalike_service.store.labels import CERTAIN, confidence_of
from lookalike_service.store.point_store import PointStore
from lookalike_service.store.protocol import Collection, FieldType, Point, Query, Store, point_id
from tests.contract.stores import DIM, SPACE, collection, near, point, vector

FLAG: FieldType = "bool"


def keys(records: list[Any]) -> list[str]:
    return [record.payload["key"] for record in records]


# -- collections


def test_a_collection_is_described_as_it_was_created(store: Store) -> None:
    wanted = replace(collection(f"c.{uuid.uuid4().hex}"), indexes={"metadata.age": "integer"})
    assert store.create_collection(wanted)
    assert store.collection(wanted.name) == wanted
    assert wanted in store.collections()


def test_creating_an_equal_collection_again_changes_nothing(store: Store, name: str) -> None:
    store.upsert(name, [point(1)])
    assert not store.create_collection(collection(name))
    assert store.count(name) == 1


@pytest.mark.parametrize(
    "other", [replace(SPACE, weights="weights-2"), replace(SPACE, dim=DIM + 1)], ids=["w", "dim"]
)
def test_a_collection_is_never_taken_over_by_another_space(
    store: Store, name: str, other: Any
) -> None:
    with pytest.raises(CollectionExists, match=name):
        store.create_collection(collection(name, other))
    assert store.collection(name).space == SPACE


def test_collections_are_listed_by_name(store: Store) -> None:
    prefix = uuid.uuid4().hex
    for suffix in "bca":
        store.create_collection(collection(f"{prefix}-{suffix}"))
    names = [each.name for each in store.collections()]
    assert [n for n in names if n.startswith(prefix)] == [f"{prefix}-{s}" for s in "abc"]


def test_an_unknown_collection_names_the_closest(store: Store, name: str) -> None:
    with pytest.raises(UnknownCollection, match=f"did you mean '{name}'"):
        store.collection(name[:-1])


@pytest.mark.parametrize("bad", ["", "../up", ".hidden", "a/b", "_lookalike", "x" * 64, "a b"])
def test_a_name_that_could_leave_its_folder_is_refused(store: Store, bad: str) -> None:
    with pytest.raises(InvalidField, match="collection name"):
        store.create_collection(collection(bad))


def test_a_dropped_collection_comes_back_empty(store: Store, name: str) -> None:
    store.upsert(name, [point(1)])
    store.delete_collection(name)
    with pytest.raises(UnknownCollection):
        store.collection(name)
    assert store.create_collection(collection(name, replace(SPACE, dim=3)))
    assert store.count(name) == 0


CALLS: dict[str, Callable[[Store, str], object]] = {
    "collection": lambda s, n: s.collection(n),
    "delete_collection": lambda s, n: s.delete_collection(n),
    "create_index": lambda s, n: s.create_index(n, "metadata.a", "integer"),
    "upsert": lambda s, n: s.upsert(n, [point(1)]),
    "retrieve": lambda s, n: s.retrieve(n, [point_id("1")]),
    "delete": lambda s, n: s.delete(n, [point_id("1")]),
    "delete_matching": lambda s, n: s.delete_matching(n, {}),
    "set_payload": lambda s, n: s.set_payload(n, point_id("1"), {"metadata": {}}),
    "count": lambda s, n: s.count(n),
    "scroll": lambda s, n: s.scroll(n),
    "query": lambda s, n: s.query(n, vector(1)),
    "vectors": lambda s, n: list(s.vectors(n)),
    "write_labels": lambda s, n: s.write_labels(n, "k", [point_id("1")], np.array([0])),
    "drop_labels": lambda s, n: s.drop_labels(n, "k"),
    "query_batch": lambda s, n: s.query_batch(n, [Query(vector(1))]),
    "facets": lambda s, n: s.facets(n, "metadata.a"),
    "stats": lambda s, n: s.stats(n),
    "loading": lambda s, n: s.loading(n).__enter__(),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("missing", ["nowhere", "_lookalike"])
def test_every_call_says_that_a_collection_is_unknown(
    store: Store, call: str, missing: str
) -> None:
    with pytest.raises(UnknownCollection, match=missing):
        CALLS[call](store, missing)


def test_an_index_can_be_made_again_and_is_described(store: Store, name: str) -> None:
    for _ in range(2):
        store.create_index(name, "metadata.body part", "keyword")
    assert store.collection(name).indexes == {"metadata.body part": "keyword"}


def test_no_more_indexes_than_allowed_are_made_at_once_or_later(store: Store) -> None:
    def declared(first: int, last: int) -> Collection:
        indexes = dict.fromkeys((f"metadata.{i}" for i in range(first, last)), FLAG)
        return replace(collection("many"), indexes=indexes)

    with pytest.raises(InvalidField, match="indexes"):
        store.create_collection(declared(0, MOST_DECLARED + 1))
    with pytest.raises(UnknownCollection):
        store.collection("many")
    store.create_collection(declared(0, 1))
    with pytest.raises(InvalidField, match="indexes"):
        store.create_collection(declared(1, MOST_DECLARED + 1))
    assert store.collection("many").indexes == {"metadata.0": "bool"}
    store.delete_collection("many")


def test_an_index_on_a_field_that_cannot_be_filtered_by_is_refused(store: Store, name: str) -> None:
    with pytest.raises(InvalidField, match="thumbnail"):
        store.create_index(name, "thumbnail", "keyword")
    with pytest.raises(InvalidField, match="thumbnail"):
        store.create_collection(replace(collection("other"), indexes={"thumbnail": "keyword"}))


# -- points


def test_points_are_read_back_in_the_order_asked_without_missing_ones(
    store: Store, name: str
) -> None:
    store.upsert(name, [point(i, a=i) for i in range(5)])
    ids = [point_id(key) for key in ("3", "nobody", "0", "4")]
    records = store.retrieve(name, ids, vectors=True)
    assert [(r.id, r.payload["metadata"]) for r in records] == [
        (ids[0], {"a": 3}),
        (ids[2], {"a": 0}),
        (ids[3], {"a": 4}),
    ]
    for record, seed in zip(records, (3, 0, 4), strict=True):
        near(record.vector, vector(seed))
    assert store.retrieve(name, ids[:1])[0].vector is None
    assert store.retrieve(name, []) == []


def test_the_thumbnail_is_read_by_retrieve_alone_and_only_when_asked_for(
    store: Store, name: str
) -> None:
    one = point(1)
    store.upsert(name, [replace(one, payload={**one.payload, "thumbnail": "QUJD"})])
    (with_it,) = store.retrieve(name, [one.id], thumbnails=True)
    assert with_it.payload["thumbnail"] == "QUJD"
    records = [*store.retrieve(name, [one.id]), *store.scroll(name)[0]]
    assert [record.payload for record in records] == [one.payload] * 2
    assert [hit.payload for hit in store.query(name, one.vector)] == [one.payload]


def test_writing_a_point_again_replaces_all_of_it(store: Store, name: str) -> None:
    store.upsert(name, [point(1, a=1, b=2)])
    store.upsert(name, [replace(point(1, a=3), vector=vector(9))])
    (record,) = store.retrieve(name, [point_id("1")], vectors=True)
    assert record.payload["metadata"] == {"a": 3}
    near(record.vector, vector(9))
    assert store.count(name) == 1


def test_the_last_of_two_points_with_one_id_counts(store: Store, name: str) -> None:
    store.upsert(name, [point(1, a=1), point(1, a=2)])
    assert [r.payload["metadata"] for r in store.scroll(name)[0]] == [{"a": 2}]


def test_more_points_than_one_batch_are_all_written(store: Store, name: str) -> None:
    store.upsert(name, [point(i) for i in range(600)])
    assert store.count(name) == 600
    store.upsert(name, [])


BAD_VECTORS = {
    "nan": (np.array([np.nan] + [1.0] * (DIM - 1), np.float32), InvalidVector, "NaN"),
    "infinity": (np.array([np.inf] + [1.0] * (DIM - 1), np.float32), InvalidVector, "infinity"),
    "zeros": (np.zeros(DIM, np.float32), InvalidVector, "zeros"),
    "short": (np.ones(DIM - 1, np.float32), WrongDimension, f"{DIM} numbers"),
    "matrix": (np.ones((1, DIM), np.float32), WrongDimension, f"{DIM} numbers"),
    "empty": (np.ones(0, np.float32), WrongDimension, f"{DIM} numbers"),
}


@pytest.mark.parametrize("bad", BAD_VECTORS)
def test_a_bad_vector_is_refused_by_name_and_nothing_is_written(
    store: Store, name: str, bad: str
) -> None:
    value, error, says = BAD_VECTORS[bad]
    with pytest.raises(error, match=says) as caught:
        store.upsert(name, [point(1), point(2, value)])
    assert point_id("2") in caught.value.detail
    assert store.count(name) == 0
    with pytest.raises(error, match=says):
        store.query(name, value)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_only_the_direction_of_a_vector_counts(store: Store, name: str, scale: float) -> None:
    store.upsert(name, [point(1, (vector(1) * scale).astype(np.float32))])
    (record,) = store.retrieve(name, [point_id("1")], vectors=True)
    near(record.vector, vector(1))
    assert store.query(name, vector(1) * scale)[0].score == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", {1, 2}], ids=repr)
def test_a_payload_that_is_not_json_is_refused(store: Store, name: str, value: object) -> None:
    with pytest.raises(InvalidField, match="not JSON"):
        store.upsert(name, [point(1, a=value)])
    store.upsert(name, [point(1)])
    with pytest.raises(InvalidField, match="not JSON"):
        store.set_payload(name, point_id("1"), {"metadata": {"a": value}})


@pytest.mark.parametrize("value", [2**63, -(2**63) - 1, 10**400, [[{"b": 2**63}]]], ids=str)
def test_a_whole_number_beyond_64_bits_is_refused(store: Store, name: str, value: object) -> None:
    with pytest.raises(InvalidField, match="beyond 64 bits"):
        store.upsert(name, [point(1), point(2, a=value)])
    assert store.count(name) == 0


@pytest.mark.parametrize("within", [lambda inner: [inner], lambda inner: {"a": inner}])
def test_metadata_that_is_nested_deeper_than_can_be_read_back_is_refused(
    store: Store, name: str, within: Callable[[object], object]
) -> None:
    value: object = "x"
    for _ in range(DEEPEST - 1):  # the metadata itself is the first level
        value = within(value)
    store.upsert(name, [point(1, a=value)])
    assert store.retrieve(name, [point_id("1")])[0].payload["metadata"] == {"a": value}
    with pytest.raises(InvalidField, match=f"deeper than {DEEPEST} levels"):
        store.upsert(name, [point(2), point(1, a=within(value))])
    with pytest.raises(InvalidField, match=f"deeper than {DEEPEST} levels"):
        store.set_payload(name, point_id("1"), {"metadata": {"a": within(value)}})
    assert store.count(name) == 1


def test_a_payload_comes_back_with_its_types(store: Store, name: str) -> None:
    payload: dict[str, Any] = {
        "text": "é 漢 \n",
        "integer": 2**53 + 1,
        "float": 0.1,
        "whole": 2.0,
        "bool": True,
        "none": None,
        "list": [1, "a", None, []],
        "nested": {"a.b": {"c d": False}},
    }
    store.upsert(name, [point(1, **payload)])
    (record,) = store.retrieve(name, [point_id("1")])
    read = record.payload["metadata"]
    assert read == payload
    assert [type(value) for value in read.values()] == [type(v) for v in payload.values()]


def test_delete_says_how_many_there_were(store: Store, name: str) -> None:
    store.upsert(name, [point(i) for i in range(4)])
    assert store.delete(name, [point_id("0"), point_id("1"), point_id("9")]) == 2
    assert store.delete(name, [point_id("0")]) == 0
    assert store.delete(name, []) == 0
    assert sorted(keys(store.scroll(name)[0])) == ["2", "3"]


def test_delete_matching_deletes_what_matches_alone(store: Store, name: str) -> None:
    store.upsert(name, [point(i, even=i % 2 == 0) for i in range(7)])
    wanted = {"must": [{"key": "metadata.even", "match": {"value": True}}]}
    assert store.delete_matching(name, wanted) == 4
    assert store.count(name, wanted) == 0
    assert store.count(name) == 3
    with pytest.raises(InvalidFilter):
        store.delete_matching(name, {"must": [{"key": "thumbnail", "match": {"value": 1}}]})
    assert store.count(name) == 3


def test_set_payload_replaces_the_given_keys_and_null_removes(store: Store, name: str) -> None:
    store.upsert(name, [point(1, a=1, b=2), point(2, a=1)])
    store.set_payload(name, point_id("1"), {"metadata": {"c": 3}, "source": "x"})
    store.set_payload(name, point_id("1"), {"source": None, "width": 5})
    first, second = store.retrieve(name, [point_id("1"), point_id("2")])
    assert first.payload == {"key": "1", "metadata": {"c": 3}, "width": 5}
    assert second.payload == point(2, a=1).payload


def test_set_payload_of_no_point_is_an_error(store: Store, name: str) -> None:
    with pytest.raises(UnknownImage, match=name):
        store.set_payload(name, point_id("nobody"), {"metadata": {}})


# -- reading many


@pytest.mark.parametrize("limit", [1, 3, 7, 100])
def test_pages_hold_every_point_once_in_id_order(store: Store, name: str, limit: int) -> None:
    store.upsert(name, [point(i) for i in range(7)])
    ids: list[str] = []
    cursor: str | None = None
    while True:
        page, cursor = store.scroll(name, limit=limit, cursor=cursor)
        ids += [record.id for record in page]
        if cursor is None:
            break
        assert len(page) == limit
    assert ids == sorted(point_id(str(i)) for i in range(7))


def test_a_page_follows_on_although_its_first_point_was_deleted(store: Store, name: str) -> None:
    store.upsert(name, [point(i) for i in range(6)])
    ids = sorted(point_id(str(i)) for i in range(6))
    _, cursor = store.scroll(name, limit=2)
    store.delete(name, [ids[2]])
    page, _ = store.scroll(name, limit=2, cursor=cursor)
    assert [record.id for record in page] == ids[3:5]


@pytest.mark.parametrize("cursor", ["", "x", "1"])
def test_a_made_up_cursor_is_refused(store: Store, name: str, cursor: str) -> None:
    with pytest.raises(InvalidField, match="cursor"):
        store.scroll(name, cursor=cursor)


@pytest.mark.parametrize("batch", [1, 4, 1000])
def test_vectors_streams_all_in_id_order_in_bounded_batches(
    store: Store, name: str, batch: int
) -> None:
    store.upsert(name, [point(i, even=i % 2 == 0) for i in range(10)])
    seeds = {point_id(str(i)): i for i in range(10)}
    for filter, wanted in (
        (None, sorted(seeds)),
        (
            {"must": [{"key": "metadata.even", "match": {"value": True}}]},
            sorted(id for id, seed in seeds.items() if seed % 2 == 0),
        ),
    ):
        got = list(store.vectors(name, filter=filter, batch=batch))
        assert [id for ids, _ in got for id in ids] == wanted
        for ids, rows in got:
            assert rows.shape == (len(ids), DIM)
            assert rows.dtype == np.float32
            assert 0 < len(ids) <= batch
            np.testing.assert_allclose(rows, [vector(seeds[id]) for id in ids], atol=1e-6)


def test_vectors_of_an_empty_collection_are_none_at_all(store: Store, name: str) -> None:
    assert list(store.vectors(name)) == []


# -- search


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_query_answers_as_a_brute_force_search(
    store: Store, name: str, data: st.DataObject
) -> None:
    n = data.draw(st.integers(0, 12), "points")
    # Few distinct vectors, so that most scores are ties.
    drawn = data.draw(st.lists(st.integers(0, 4), min_size=n, max_size=n), "vectors")
    limit, offset = data.draw(st.integers(1, 14), "limit"), data.draw(st.integers(0, 14), "offset")
    threshold = data.draw(st.sampled_from([None, -1.0, 0.0, 0.5]), "threshold")
    store.delete_matching(name, {})
    store.upsert(name, [point(i, vector(100 + seed)) for i, seed in enumerate(drawn)])
    query = vector(7)

    cosines = {seed: round(float(vector(100 + seed) @ query), 6) for seed in drawn}
    scores = {point_id(str(i)): cosines[seed] for i, seed in enumerate(drawn)}
    wanted = sorted(
        (-score, id) for id, score in scores.items() if threshold is None or score >= threshold
    )[offset : offset + limit]

    hits = store.query(name, query, limit=limit, offset=offset, score_threshold=threshold)
    assert [hit.id for hit in hits] == [id for _, id in wanted]
    np.testing.assert_allclose([h.score for h in hits], [-s for s, _ in wanted], atol=1e-6)


def test_query_returns_payloads_and_vectors_when_asked_for(store: Store, name: str) -> None:
    store.upsert(name, [point(i, a=i) for i in range(3)])
    (hit,) = store.query(name, vector(2), limit=1, vectors=True)
    assert hit.payload == point(2, a=2).payload
    near(hit.vector, vector(2))
    assert store.query(name, vector(2), limit=1)[0].vector is None


def test_a_filter_is_applied_before_the_limit(store: Store, name: str) -> None:
    store.upsert(name, [point(i, odd=i % 2) for i in range(20)])
    odd = {"must": [{"key": "metadata.odd", "match": {"value": 1}}]}
    hits = store.query(name, vector(2), limit=10, filter=odd)
    assert len(hits) == 10
    assert all(hit.payload["metadata"]["odd"] == 1 for hit in hits)


def test_scores_never_leave_their_range(store: Store, name: str) -> None:
    ones = np.full(DIM, DIM**-0.5, np.float32)
    store.upsert(name, [point(1, ones), point(2, -ones)])
    scores = [hit.score for hit in store.query(name, ones)]
    assert scores == pytest.approx([1, -1], abs=1e-6)
    assert all(-1 <= score <= 1 for score in scores)


def test_has_id_takes_callers_ids(store: Store, name: str) -> None:
    store.upsert(name, [point(key) for key in ("a b", "ü", "c")])
    hits = store.query(name, vector(1), filter={"must_not": [{"has_id": ["c", "ü", "none"]}]})
    assert keys(hits) == ["a b"]


@pytest.mark.parametrize("call", ["query", "count", "scroll", "vectors"])
def test_a_bad_filter_is_refused_everywhere(store: Store, name: str, call: str) -> None:
    bad = {"must": [{"key": "secret", "match": {"value": 1}}]}
    calls: dict[str, Callable[[], object]] = {
        "query": lambda: store.query(name, vector(1), filter=bad),
        "count": lambda: store.count(name, bad),
        "scroll": lambda: store.scroll(name, filter=bad),
        "vectors": lambda: store.vectors(name, filter=bad),
    }
    with pytest.raises(InvalidFilter, match=r"must\[0\]"):
        calls[call]()


@pytest.mark.parametrize(("limit", "offset"), [(0, 0), (-1, 0), (1, -1)])
def test_a_page_of_nothing_is_refused(store: Store, name: str, limit: int, offset: int) -> None:
    with pytest.raises(InvalidField, match="limit"):
        store.query(name, vector(1), limit=limit, offset=offset)


def test_a_batch_of_queries_answers_as_each_alone(store: Store, name: str) -> None:
    store.upsert(name, [point(i, odd=i % 2) for i in range(20)])
    store.write_labels(name, "k", [point_id("3")], np.array([4]))
    odd = {"must": [{"key": "metadata.odd", "match": {"value": 1}}]}
    asked: list[dict[str, Any]] = [
        {"vector": vector(1), "limit": 3},
        {"vector": vector(2), "limit": 4, "offset": 2, "filter": odd, "vectors": True},
        {"vector": vector(3), "score_threshold": 0.9},
        {"vector": vector(3), "filter": {"must": [{"key": "clusters.k", "match": {"value": 4}}]}},
    ]
    answers = store.query_batch(name, [Query(**keywords) for keywords in asked])
    for keywords, hits in zip(asked, answers, strict=True):
        alone = store.query(name, keywords.pop("vector"), **keywords)
        assert [(h.id, h.score, h.payload) for h in hits] == [
            (h.id, h.score, h.payload) for h in alone
        ]
        assert [h.vector is None for h in hits] == [h.vector is None for h in alone]
    assert keys(answers[3]) == ["3"]
    assert store.query_batch(name, []) == []


def test_one_bad_query_of_a_batch_is_refused(store: Store, name: str) -> None:
    with pytest.raises(WrongDimension):
        store.query_batch(name, [Query(vector(1)), Query(vector(1, DIM + 1))])


@pytest.mark.parametrize("effort", [{"exact": True}, {"ef": 1}, {"ef": 500}], ids=str)
def test_effort_is_taken_and_changes_nothing_in_a_small_collection(
    store: Store, name: str, effort: dict[str, Any]
) -> None:
    store.upsert(name, [point(i) for i in range(20)])
    assert keys(store.query(name, vector(7), **effort)) == keys(store.query(name, vector(7)))


@pytest.mark.parametrize("ef", [0, -1, 10_001])
def test_an_impossible_effort_is_refused(store: Store, name: str, ef: int) -> None:
    with pytest.raises(InvalidField, match="ef must be"):
        store.query(name, vector(1), ef=ef)


def test_stats_count_the_points(store: Store, name: str) -> None:
    assert store.stats(name).points == 0
    with store.loading(name):
        store.upsert(name, [point(i) for i in range(5)])
        assert store.query(name, vector(3), limit=1)[0].payload["key"] == "3"
    assert store.stats(name).points == 5


# -- facets


FACETED: dict[str, FieldType] = {
    "metadata.word": "keyword",
    "metadata.n": "integer",
    "metadata.yes": "bool",
}


@pytest.fixture
def faceted(store: Store, name: str) -> str:
    for field, type in FACETED.items():
        store.create_index(name, field, type)
    store.upsert(
        name,
        [
            point(0, word="a", n=3, yes=True),
            point(1, word=["a", "b"], n=1, yes=False),
            point(2, word="c", n=1, yes=True),
            point(3, word=[], n=None),
            point(4),
        ],
    )
    return name


def test_facets_count_values_the_most_frequent_first(store: Store, faceted: str) -> None:
    assert store.facets(faceted, "metadata.word") == [("a", 2), ("b", 1), ("c", 1)]
    assert store.facets(faceted, "metadata.word", limit=1) == [("a", 2)]
    assert store.facets(faceted, "metadata.n") == [(1, 2), (3, 1)]
    assert store.facets(faceted, "metadata.yes") == [(True, 2), (False, 1)]


def test_facets_of_a_filter_leave_out_what_nothing_matching_holds(
    store: Store, faceted: str
) -> None:
    ones = {"must": [{"key": "metadata.n", "match": {"value": 1}}]}
    assert store.facets(faceted, "metadata.word", filter=ones) == [("a", 1), ("b", 1), ("c", 1)]
    store.delete(faceted, [point_id("2")])
    assert store.facets(faceted, "metadata.word", filter=ones) == [("a", 1), ("b", 1)]


def test_labels_are_counted_too_with_and_without_a_filter(store: Store, faceted: str) -> None:
    ids = [point_id(str(i)) for i in range(5)]
    store.write_labels(faceted, "k", ids, np.array([7, 7, -1, -1, -1]))
    assert store.facets(faceted, "clusters.k") == [(-1, 3), (7, 2)]
    ones = {"must": [{"key": "metadata.n", "match": {"value": 1}}]}
    assert store.facets(faceted, "clusters.k", filter=ones) == [(-1, 1), (7, 1)]
    noise = {"must": [{"key": "clusters.k", "match": {"value": -1}}]}
    assert store.facets(faceted, "metadata.word", filter=noise) == [("c", 1)]
    store.delete(faceted, ids[:2])
    assert store.facets(faceted, "clusters.k") == [(-1, 3)]
    assert store.facets(faceted, "clusters.other") == []


@pytest.mark.parametrize(
    ("field", "says"),
    [("metadata.free", "no index"), ("metadata.f", "float"), ("secret", "secret")],
)
def test_what_cannot_be_counted_is_refused(
    store: Store, faceted: str, field: str, says: str
) -> None:
    store.create_index(faceted, "metadata.f", "float")
    with pytest.raises(InvalidField, match=says):
        store.facets(faceted, field)


# -- labels


@pytest.mark.parametrize("clustering", ["kmeans", "k-means_2", "v1.2.k", "with space"])
def test_labels_are_written_filtered_by_rewritten_and_dropped(
    store: Store, name: str, clustering: str
) -> None:
    store.upsert(name, [point(i) for i in range(6)])
    ids = [point_id(str(i)) for i in range(6)]
    store.write_labels(name, "other", ids, np.full(6, 7))
    store.write_labels(name, clustering, ids, np.array([0, 1, -1, 0, 1, -1]))
    noise = {"must": [{"key": f"clusters.{clustering}", "match": {"value": -1}}]}
    assert sorted(keys(store.scroll(name, filter=noise)[0])) == ["2", "5"]
    assert store.query(name, vector(1))[0].payload["clusters"] == {clustering: 1, "other": 7}

    store.write_labels(name, clustering, ids[:1], np.array([-1]))
    assert store.count(name, noise) == 3
    store.drop_labels(name, clustering)
    assert store.count(name, noise) == 0
    assert all(r.payload["clusters"] == {"other": 7} for r in store.retrieve(name, ids))


def noted(store: Store, name: str) -> list[dict[str, int] | None]:
    return [record.payload.get("clusters") for record in store.scroll(name)[0]]


def test_a_deleted_point_comes_back_without_its_labels(store: Store, name: str) -> None:
    store.upsert(name, [point(1), point(2)])
    store.write_labels(name, "k", [point_id("1"), point_id("2")], np.array([5, 5]))
    store.delete(name, [point_id("1")])
    store.upsert(name, [point(1)])
    five = {"must": [{"key": "clusters.k", "match": {"value": 5}}]}
    assert keys(store.scroll(name, filter=five)[0]) == ["2"]
    assert store.retrieve(name, [point_id("1")])[0].payload.get("clusters") is None


def test_a_replaced_point_loses_its_labels_and_one_with_new_metadata_keeps_them(
    store: Store, name: str
) -> None:
    store.upsert(name, [point(1), point(2)])
    store.write_labels(name, "k", [point_id("1"), point_id("2")], np.array([5, 5]))
    store.upsert(name, [point(1, a=1)])
    store.set_payload(name, point_id("2"), {"metadata": {"a": 2}})
    replaced, kept = store.retrieve(name, [point_id("1"), point_id("2")])
    assert "clusters" not in replaced.payload
    assert kept.payload["clusters"] == {"k": 5}


def test_labels_do_not_outlive_their_collection(store: Store, name: str) -> None:
    store.upsert(name, [point(1)])
    store.write_labels(name, "k", [point_id("1")], np.array([5]))
    store.delete_collection(name)
    store.create_collection(collection(name))
    store.upsert(name, [point(1)])
    assert noted(store, name) == [None]
    assert store.facets(name, "clusters.k") == []


def test_labels_of_two_collections_do_not_meet(store: Store, name: str) -> None:
    other = f"{name}x"
    store.create_collection(collection(other))
    for each, label in ((name, 1), (other, 2)):
        store.upsert(each, [point(1)])
        store.write_labels(each, "k", [point_id("1")], np.array([label]))
    store.drop_labels(other, "k")
    assert noted(store, name) == [{"k": 1}]
    assert noted(store, other) == [None]


@pytest.mark.parametrize("n", [3, 1500])
def test_labelling_some_leaves_the_labels_of_the_others(store: Store, name: str, n: int) -> None:
    """Few are written in place, many into a new version that takes the others along."""
    store.upsert(name, [point(i) for i in range(2000)])
    ids = [point_id(str(i)) for i in range(2000)]
    store.write_labels(name, "k", ids, np.zeros(2000, np.int64))
    for label in (1, 2):
        store.write_labels(name, "k", ids[:n], np.full(n, label))
        assert store.facets(name, "clusters.k") == sorted(
            [(0, 2000 - n), (label, n)], key=lambda pair: -pair[1]
        )


@pytest.mark.parametrize("n", [3, 1500])
def test_replacing_labels_takes_those_of_the_others_away(store: Store, name: str, n: int) -> None:
    store.upsert(name, [point(i) for i in range(2000)])
    ids = [point_id(str(i)) for i in range(2000)]
    store.write_labels(name, "k", ids, np.zeros(2000, np.int64))
    store.write_labels(name, "other", ids[:9], np.ones(9, np.int64))
    for label in (1, 2):
        store.write_labels(name, "k", ids[:n], np.full(n, label), replace=True)
        assert store.facets(name, "clusters.k") == [(label, n)]
    unlabelled = {"must": [{"is_empty": {"key": "clusters.k"}}]}
    assert store.count(name, unlabelled) == 2000 - n
    assert store.facets(name, "clusters.other") == [(1, 9)]


def test_how_sure_labels_are_stands_beside_them_and_can_be_filtered_by(
    store: Store, name: str
) -> None:
    store.upsert(name, [point(i) for i in range(3)])
    ids = [point_id(str(i)) for i in range(3)]
    store.write_labels(name, "k.1", ids, np.array([0, 1, 1]))
    store.write_labels(name, confidence_of("k.1"), ids[:2], np.array([1_000, CERTAIN]))
    first, second, third = store.retrieve(name, ids)
    assert first.payload["clusters"] == {"k.1": 0}
    assert first.payload["confidences"] == {"k.1": 0.1}
    assert second.payload["confidences"] == {"k.1": 1}
    assert "confidences" not in third.payload
    unsure = {"must": [{"key": "clusters.k.1@confidence", "range": {"lt": 2_000}}]}
    assert keys(store.scroll(name, filter=unsure)[0]) == ["0"]
    assert store.facets(name, f"clusters.{confidence_of('k.1')}") == [(1_000, 1), (CERTAIN, 1)]
    store.upsert(name, [replace(point(0), payload=first.payload)])
    assert "confidences" not in store.retrieve(name, ids[:1])[0].payload


def test_a_reader_sees_the_labels_before_or_after_never_a_mix(store: Store, name: str) -> None:
    n = 1200
    store.upsert(name, [point(i) for i in range(n)])
    ids = [point_id(str(i)) for i in range(n)]
    store.write_labels(name, "k", ids, np.zeros(n, np.int64))
    done = threading.Event()

    def read() -> int:
        reads = 0
        while not done.is_set():
            records = store.retrieve(name, ids[:: n // 50])
            assert len({record.payload["clusters"]["k"] for record in records}) == 1
            reads += 1
        return reads

    def filter_by_one() -> int:
        """What a filter on the labels finds carries the label that was asked for."""
        reads = 0
        zeros = {"must": [{"key": "clusters.k", "match": {"value": 0}}]}
        while not done.is_set():
            page, _ = store.scroll(name, filter=zeros, limit=n)
            assert len(page) in {0, n}
            assert {record.payload["clusters"]["k"] for record in page} <= {0}
            reads += 1
        return reads

    with ThreadPoolExecutor() as pool:
        readers = [pool.submit(read), pool.submit(filter_by_one)]
        try:
            for label in (1, 0, 1, 0):
                store.write_labels(name, "k", ids, np.full(n, label))
        finally:
            done.set()
        assert all(reader.result() > 0 for reader in readers)


def test_labels_of_points_deleted_meanwhile_are_skipped(store: Store, name: str) -> None:
    store.upsert(name, [point(1), point(2)])
    ids = [point_id(key) for key in ("1", "gone", "2")]
    store.write_labels(name, "k", ids, np.array([3, 3, 3]))
    assert [r.payload["clusters"] for r in store.retrieve(name, ids)] == [{"k": 3}, {"k": 3}]
    assert store.count(name) == 2


def test_labels_and_ids_must_be_as_many(store: Store, name: str) -> None:
    with pytest.raises(ValueError, match="2 ids"):
        store.write_labels(name, "k", [point_id("1"), point_id("2")], np.array([1]))


# -- documents


def test_documents_are_kept_by_kind_and_key(store: Store) -> None:
    kind = uuid.uuid4().hex
    body = {"state": "queued", "n": [1, 2.0, None, {"é": True}]}
    assert store.document(kind, "b") is None
    store.put_document(kind, "b", {"old": 1})
    store.put_document(kind, "b", body)
    store.put_document(kind, "a/1", {})
    store.put_document(kind + "x", "c", {})
    assert store.document(kind, "b") == body
    assert store.documents(kind) == [("a/1", {}), ("b", body)]
    store.delete_document(kind, "b")
    store.delete_document(kind, "b")
    assert store.documents(kind) == [("a/1", {})]


def test_a_document_is_added_once_and_all_who_add_it_get_that_one(store: Store) -> None:
    kind = uuid.uuid4().hex
    assert store.document(kind, "a") is None
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda i: store.add_document(kind, "a", {"by": i}), range(8)))
    assert all(body == found[0] for body in found)
    assert store.document(kind, "a") == found[0]
    store.delete_document(kind, "a")
    assert store.add_document(kind, "a", {"by": 9}) == {"by": 9}


def test_more_documents_than_one_page_are_all_listed(store: Store) -> None:
    kind = uuid.uuid4().hex
    for i in range(300):
        store.put_document(kind, f"{i:03}", {"i": i})
    assert [body["i"] for _, body in store.documents(kind)] == list(range(300))


def test_a_document_that_is_not_json_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="JSON"):
        store.put_document("job", "x", {"a": float("nan")})


ARRAYS: dict[str, NDArray[Any]] = {
    "floats": np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4),
    "column-major": np.asfortranarray(np.arange(6).reshape(2, 3)),
    "text": np.array(["a", "é"]),
    "bool": np.array([True, False]),
    "scalar": np.array(5.0),
    "empty": np.zeros((0, 7), np.int16),
    "file": np.array([1 + 2j]),
    "large": np.arange(400_000, dtype=np.int64),  # more than one chunk
}


def test_arrays_come_back_with_dtype_and_shape(store: Store) -> None:
    kind = uuid.uuid4().hex
    assert store.arrays(kind, "x") is None
    store.put_arrays(kind, "x", ARRAYS)
    read = store.arrays(kind, "x")
    assert read is not None
    assert list(read) == list(ARRAYS)
    for key, array in ARRAYS.items():
        assert read[key].dtype == array.dtype
        np.testing.assert_array_equal(read[key], array)
    store.put_document(kind, "x", {"a": 1})
    assert store.arrays(kind, "x") is not None
    store.delete_document(kind, "x")
    assert store.arrays(kind, "x") is None
    assert store.document(kind, "x") is None


def test_arrays_of_objects_are_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="Object arrays"):
        store.put_arrays("run", "x", {"a": np.array([{}], dtype=object)})


def test_replaced_arrays_leave_nothing_behind(store: PointStore) -> None:
    kind = uuid.uuid4().hex
    for size in (400_000, 10):
        store.put_arrays(kind, "x", {"a": np.zeros(size)})
    before = system_points(store)
    store.put_arrays(kind, "x", {"a": np.zeros(20)})
    assert system_points(store) == before
    store.delete_document(kind, "x")
    assert system_points(store) == before - 2  # one chunk and the manifest


def system_points(store: PointStore) -> int:
    from lookalike_service.store.documents import SYSTEM
    from lookalike_service.store.filters import EVERYTHING

    return store._engine.count(SYSTEM, EVERYTHING)


def test_a_reader_never_sees_a_mix_of_two_writes(store: Store) -> None:
    kind = uuid.uuid4().hex
    size = 200_000  # two chunks

    def write(value: int) -> None:
        store.put_arrays(kind, "x", {"a": np.full(size, value), "b": np.full(3, value)})

    write(0)
    done = threading.Event()

    def read() -> int:
        reads = 0
        while not done.is_set():
            arrays = store.arrays(kind, "x")
            assert arrays is not None
            assert len({*np.unique(arrays["a"]), *arrays["b"]}) == 1
            reads += 1
        return reads

    with ThreadPoolExecutor() as pool:
        readers = [pool.submit(read) for _ in range(2)]
        try:
            for value in range(1, 12):
                write(value)
        finally:
            done.set()
        assert all(reader.result() > 0 for reader in readers)


# -- threads


def test_many_threads_may_write_and_search_at_once(store: Store, name: str) -> None:
    def work(worker: int) -> None:
        for i in range(10):
            mine = point(1000 * worker + i, worker=worker)
            store.upsert(name, [mine])
            (hit,) = store.query(name, mine.vector, limit=1)
            assert hit.id == mine.id
            only_mine = {"must": [{"key": "metadata.worker", "match": {"value": worker}}]}
            assert store.count(name, only_mine) == i + 1
            assert store.retrieve(name, [mine.id])[0].payload == mine.payload

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(1, 17)))
    assert store.count(name) == 160


def test_a_stored_vector_cannot_be_changed_from_outside(store: Store, name: str) -> None:
    mine = np.array(vector(1))
    values = [1]
    store.upsert(name, [Point(point_id("1"), mine, {"metadata": {"a": values}})])
    mine[:] = 0
    values.append(2)
    (record,) = store.retrieve(name, [point_id("1")], vectors=True)
    near(record.vector, vector(1))
    assert record.payload["metadata"] == {"a": [1]}


@pytest.mark.parametrize("count", [1, 5, 101])
def test_points_left_out_by_id_are_passed_over_wherever_a_page_begins(
    store: Store, name: str, count: int
) -> None:
    points = [point(i, group=i % 2) for i in range(140)]
    store.upsert(name, points)
    query = vector(0)
    best = sorted(points, key=lambda one: -float(one.vector @ query))
    left_out = {"has_id": [one.payload["key"] for one in best[:count]]}
    for limit, offset in ((7, 0), (7, 3), (200, 0)):
        hits = store.query(name, query, limit=limit, offset=offset, filter={"must_not": [left_out]})
        wanted = best[count:][offset : offset + limit]
        assert [hit.id for hit in hits] == [one.id for one in wanted]
    odd = {"key": "metadata.group", "match": {"value": 1}}
    both = {"must": [odd], "must_not": [left_out]}
    hits = store.query(name, query, limit=4, filter=both)
    wanted = [one for one in best[count:] if one.payload["metadata"]["group"] == 1]
    assert [hit.id for hit in hits] == [one.id for one in wanted[:4]]
