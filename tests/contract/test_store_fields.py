"""Metadata fields in every store: found and indexed as they are first seen, and slips in filters named."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lookalike_service.errors import InvalidFilter
from lookalike_service.spaces import Space
from lookalike_service.store.fields import MOST_FIELDS, MOST_INDEXES, MOST_UNINDEXED, learn
from lookalike_service.store.point_store import PointStore
from lookalike_service.store.protocol import Store, pinned
from tests.contract.stores import collection, point


def where(key: str, **condition: Any) -> dict[str, Any]:
    return {"must": [{"key": key, **condition}]}


def found(store: Store, name: str, filter: Any) -> set[str]:
    return {record.payload["key"] for record in store.scroll(name, filter=filter, limit=1000)[0]}


def test_a_field_is_indexed_by_its_type_when_it_is_first_seen(store: Store, name: str) -> None:
    nested: dict[str, Any] = {"of": {"x": "deep"}, "tags": ["t", "u"], "parts": [{"size": 3}]}
    store.upsert(name, [point(1, label="cat", age=3, **nested), point(2, weight=0.5, ok=True)])
    indexes = {
        "metadata.label": "keyword",
        "metadata.age": "integer",
        "metadata.of.x": "keyword",
        "metadata.tags": "keyword",
        "metadata.parts[].size": "integer",
        "metadata.weight": "float",
        "metadata.ok": "bool",
    }
    described = store.collection(name)
    assert described.indexes == indexes
    assert described.fields == {field: [type] for field, type in indexes.items()}
    assert store.facets(name, "metadata.label") == [("cat", 1)]
    assert found(store, name, where("metadata.tags", match={"value": "u"})) == {"1"}
    assert found(store, name, where("metadata.parts[].size", range={"gte": 3})) == {"1"}
    assert found(store, name, where("metadata.parts[0].size", range={"gte": 3})) == {"1"}


def test_edited_metadata_is_learned_from_too(store: Store, name: str) -> None:
    store.upsert(name, [point(1)])
    store.set_payload(name, point(1).id, {"metadata": {"late": "yes"}})
    assert store.collection(name).indexes == {"metadata.late": "keyword"}


def test_a_declared_index_stays_as_it_was_declared(store: Store, name: str) -> None:
    store.create_index(name, "metadata.age", "float")
    store.upsert(name, [point(1, age=3), point(2, age="old")])
    described = store.collection(name)
    assert described.indexes == {"metadata.age": "float"}
    assert described.fields == {"metadata.age": ["integer", "keyword"]}


def test_fractions_after_whole_numbers_are_found_all_the_same(store: Store, name: str) -> None:
    store.upsert(name, [point(i, x=i) for i in range(4)])
    store.upsert(name, [point(10, x=1.5), point(11, x=2.0)])
    assert store.collection(name).fields == {"metadata.x": ["integer", "float"]}
    assert store.collection(name).indexes == {"metadata.x": "float"}
    between = where("metadata.x", range={"gt": 1, "lte": 2})
    assert found(store, name, between) == {"2", "10", "11"}
    assert found(store, name, where("metadata.x", match={"value": 2})) >= {"2"}


VALUES = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([-1.5, 0.5, 2.5]),
    st.booleans(),
    st.sampled_from(["1", "a", "b"]),
    st.none(),
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    values=st.lists(st.one_of(VALUES, st.lists(VALUES, max_size=3)), min_size=1, max_size=12),
    wanted=st.one_of(st.integers(-3, 3), st.booleans(), st.sampled_from(["1", "a"])),
    low=st.integers(-3, 3),
)
def test_filters_on_fields_of_mixed_types_answer_as_if_there_were_no_index(
    store: Store, values: list[Any], wanted: Any, low: int
) -> None:
    name = f"c-{uuid.uuid4().hex}"
    store.create_collection(collection(name))
    for i, value in enumerate(values):  # one by one, so that each meets the indexes of those before
        store.upsert(name, [point(i, v=value, always=1)])
    held = [value if isinstance(value, list) else [value] for value in values]
    # So that the field is known whatever was drawn.
    store.upsert(name, [point("x", v="known")])
    equal = {
        str(i)
        for i, inner in enumerate(held)
        if any(type(one) is type(wanted) and one == wanted for one in inner)
    }
    numbers = {
        str(i)
        for i, inner in enumerate(held)
        if any(type(one) in (int, float) and one >= low for one in inner)
    }
    assert found(store, name, where("metadata.v", match={"value": wanted})) == equal
    assert found(store, name, where("metadata.v", range={"gte": low})) == numbers
    store.delete_collection(name)


def test_fields_beyond_the_bound_are_known_but_not_indexed_and_filtered_all_the_same(
    store: Store, name: str
) -> None:
    many: dict[str, Any] = {f"f{i:02}": i for i in range(MOST_INDEXES + 3)}
    store.upsert(name, [point(1, **many)])
    described = store.collection(name)
    assert len(described.indexes) == MOST_INDEXES
    assert len(described.fields) == MOST_INDEXES + 3
    last = f"metadata.f{MOST_INDEXES + 2:02}"
    assert last not in described.indexes
    assert found(store, name, where(last, match={"value": MOST_INDEXES + 2})) == {"1"}


def test_texts_are_not_indexed() -> None:
    described = collection("c")
    learned = learn(described, [{"metadata": {"caption": "x" * 129, "label": "x" * 128}}])
    assert learned is not None
    assert learned.indexes == {"metadata.label": "keyword"}
    assert learned.fields.keys() == {"metadata.caption", "metadata.label"}


def test_what_cannot_be_named_or_is_endless_is_left_out() -> None:
    metadata: dict[str, Any] = {'a"b': 1, "": 2, "a.b": 3, "x[0]": 4, "none": None, "deep": {}}
    metadata["deep"] = {"b": {"c": {"d": 5, "e": {"f": 6}}}}
    learned = learn(collection("c"), [{"metadata": metadata}, {}])
    assert learned is not None
    assert learned.fields.keys() == {'metadata."a.b"', "metadata.deep.b.c.d"}
    many = learn(collection("c"), [{"metadata": {str(i): i for i in range(1000)}}])
    assert many is not None
    assert len(many.fields) == MOST_FIELDS
    known = replace(collection("c"), fields=many.fields, indexes=many.indexes)
    assert learn(known, [{"metadata": {"0": 1, "999": 1}}]) is None


@pytest.mark.parametrize("clause", ["must", "should", "must_not"])
def test_a_filter_by_a_field_that_no_image_has_names_it_and_those_there_are(
    store: Store, name: str, clause: str
) -> None:
    store.upsert(name, [point(1, label="cat", age=3)])
    slip = {clause: [{"must": [{"key": "metadata.lable", "match": {"value": "cat"}}]}]}
    said = r"'metadata\.lable'; did you mean 'metadata\.label'\?.* metadata\.age, metadata\.label"
    for call in (
        lambda: store.count(name, slip),
        lambda: store.scroll(name, filter=slip),
        lambda: store.query(name, point(1).vector, filter=slip),
        lambda: store.delete_matching(name, slip),
        lambda: store.vectors(name, filter=slip),
        lambda: store.facets(name, "metadata.label", filter=slip),
    ):
        with pytest.raises(InvalidFilter, match=said):
            call()
    assert store.count(name) == 1


@pytest.mark.parametrize(
    "condition",
    [
        {"key": "metadata.deep", "match": {"any": ["a"]}},
        {"key": "metadata.age", "match": {"value": "3"}},
        {"key": "metadata.label", "range": {"gte": 1}},
        {"key": "clusters.k", "match": {"value": 1}},
        {"key": "key", "match": {"value": "1"}},
    ],
)
def test_conditions_that_no_index_answers_are_few(
    store: Store, name: str, condition: dict[str, Any]
) -> None:
    store.upsert(name, [point(1, label="cat", age=3, deep="x" * 200)])
    store.count(name, {"should": [condition] * MOST_UNINDEXED})
    with pytest.raises(InvalidFilter, match=f"at most 16 such.*: {condition['key']}"):
        store.count(name, {"should": [{"must": [condition]}] * (MOST_UNINDEXED + 1)})


def test_conditions_that_an_index_answers_may_be_many(store: Store, name: str) -> None:
    store.upsert(name, [point(1, label="cat", age=3)])
    labels = [
        {"key": "metadata.label", "match": {"value": "cat"}},
        {"is_empty": {"key": "metadata.age"}},
    ]
    ages = [
        {"key": "metadata.age", "range": {"gte": 1}},
        {"key": "metadata.age", "match": {"any": [3]}},
    ]
    assert found(store, name, {"should": [*labels, *ages] * 20}) == {"1"}


def test_asking_whether_a_field_is_there_is_no_slip(store: Store, name: str) -> None:
    assert found(store, name, where("metadata.label", match={"value": "cat"})) == set()
    store.upsert(name, [point(1, label="cat")])
    assert found(store, name, {"must": [{"is_empty": {"key": "metadata.other"}}]}) == {"1"}


def test_a_second_space_has_the_same_indexes(store: PointStore, name: str) -> None:
    target = Space("other", "w", "avg", "p", 4)
    store.upsert(name, [point(1, a=1)])
    store.add_space(name, target)
    store.upsert(name, [point(2, b="x")])
    store.switch_space(name, target.id)
    assert store.collection(name).indexes == {"metadata.a": "integer", "metadata.b": "keyword"}
    assert store.facets(pinned(name, target.id), "metadata.b") == []
    store.upsert(name, [replace(point(3, b="x"), vector=point(3).vector[:4])])
    assert store.facets(name, "metadata.b") == [("x", 1)]
