"""Filters: what is refused and why, and that both engines and the definition agree on the rest."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lookalike_service.errors import InvalidFilter
from lookalike_service.store.fields import MOST_UNINDEXED
from lookalike_service.store.filter_size import measure
from lookalike_service.store.filters import (
    EVERYTHING,
    Match,
    MatchAny,
    Where,
    field_path,
    parse_filter,
)
from lookalike_service.store.point_store import PointStore
from lookalike_service.store.protocol import FieldType, Point, point_id
from tests.contract.stores import collection, embedded, memory, vector

# -- parsing


def test_no_filter_and_an_empty_one_match_everything() -> None:
    assert parse_filter(None) == parse_filter({}) == parse_filter({"must": []}) == EVERYTHING


def test_a_lone_condition_is_a_list_of_one() -> None:
    condition = {"key": "metadata.a", "match": {"value": 1}}
    assert parse_filter({"must": condition}) == Where(must=(Match("metadata.a", 1),))


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ("key", "key"),
        ("indexed_at", "indexed_at"),
        ("metadata.a", "metadata.a"),
        ("metadata.a.b-c_d", "metadata.a.b-c_d"),
        ("metadata.body part", 'metadata."body part"'),
        ('metadata."a.b".c', 'metadata."a.b".c'),
        ("metadata.größe", 'metadata."größe"'),
        ("metadata.a[].b", "metadata.a[].b"),
        ("metadata.a[0]", "metadata.a[0]"),
        ("clusters.k-means", "clusters.k-means"),
        ("clusters.v1.2", 'clusters."v1.2"'),
        ('clusters."v1.2"', 'clusters."v1.2"'),
    ],
)
def test_a_field_becomes_a_path_with_quotes_where_needed(field: str, path: str) -> None:
    assert field_path(field) == path


@pytest.mark.parametrize(
    "field",
    [
        *("", "thumbnail", "metadata", "metadata.", "metadata..a", "metadata.a.", "metadata.a[x]"),
        *('metadata."a', "clusters.", 'clusters.a"b', "metadatax.a", "body", "metadata.[0]"),
    ],
)
def test_other_fields_are_refused(field: str) -> None:
    with pytest.raises(ValueError, match="not a field to filter by; allowed: metadata"):
        field_path(field)


def field(**operator: Any) -> dict[str, Any]:
    return {"must": [{"key": "metadata.a", **operator}]}


REFUSED: list[tuple[Any, str]] = [
    ([], "filter must be an object, not a list"),
    ({"and": []}, "filter has unknown and; allowed: must, should, must_not, min_should"),
    ({"must": 1}, "filter.must must be a list of conditions, not an integer"),
    ({"must": [None]}, r"filter.must\[0\] must be an object, not null"),
    ({"must": [{}]}, r"filter.must\[0\] is not a condition"),
    ({"should": [{"nested": {}}]}, r"filter.should\[0\] is not a condition: \['nested'\]"),
    ({"must": [{"has_vector": "a"}]}, "is not a condition"),
    ({"must": [{"key": 1, "match": {"value": 1}}]}, "key must be a string"),
    ({"must": [{"key": "secret", "match": {"value": 1}}]}, "'secret' is not a field"),
    (field(), "exactly one of match, range, is_empty, is_null"),
    (field(geo_radius={}), "exactly one of match, range"),
    (field(match={"value": 1}, range={"gt": 1}), "exactly one of match, range"),
    (field(match={}), "exactly one of value, any, except"),
    (field(match={"text": "a"}), "unknown text; allowed: value, any, except"),
    (field(match={"value": 1.5}), "for other numbers use range"),
    (field(match={"value": None}), "not null"),
    (field(match={"value": 2**63}), "64-bit"),
    (field(match={"any": "a"}), "a list of strings or a list of 64-bit integers"),
    (field(match={"any": ["a", 1]}), "a list of strings or a list of 64-bit integers"),
    (field(match={"except": []}), "at least one value; for any value use is_empty: false"),
    (field(match={"except": [True]}), "a list of strings or a list of 64-bit integers"),
    (field(range={}), "at least one of gt, gte, lt, lte"),
    (field(range={"from": 1}), "unknown from; allowed: gt, gte, lt, lte"),
    (field(range={"gt": "2020-01-01"}), "must be a finite number"),
    (field(range={"gt": True}), "must be a finite number"),
    (field(range={"lt": float("nan")}), "must be a finite number"),
    (field(range={"lt": 10**400}), "must be a finite number"),
    (field(is_empty=1), "must be true or false"),
    ({"must": [{"is_null": "metadata.a"}]}, "is_null must be an object"),
    ({"must": [{"is_empty": {"key": "x"}}]}, "'x' is not a field"),
    ({"must": [{"has_id": "a"}]}, "a list of image ids"),
    ({"must": [{"has_id": [1]}]}, "a list of image ids"),
    ({"min_should": {"conditions": []}}, "min_count must be an integer ≥ 1, not None"),
    ({"min_should": {"conditions": [], "min_count": 0}}, "integer ≥ 1, not 0"),
    ({"min_should": {"conditions": [], "min_count": 1}}, "asks for 1 of 0 conditions"),
    ({"min_should": {"min_count": True}}, "integer ≥ 1, not True"),
    ({"must": [{"must": [{"must_not": [{"x": 1}]}]}]}, r"must\[0\].must\[0\].must_not\[0\]"),
]


@pytest.mark.parametrize(("filter", "says"), REFUSED)
def test_what_is_not_understood_is_refused_with_its_place(filter: Any, says: str) -> None:
    with pytest.raises(InvalidFilter, match=says):
        parse_filter(filter)


def test_a_filter_nested_without_end_is_refused() -> None:
    filter: dict[str, Any] = {}
    for _ in range(500):
        filter = {"must": [{"must": [filter]}]}
    with pytest.raises(InvalidFilter, match="deeper"):
        parse_filter(filter)


RANGE = {"key": "metadata.a", "range": {"gte": 1}}


def at_least(count: int, conditions: list[Any]) -> dict[str, Any]:
    return {"min_should": {"conditions": conditions, "min_count": count}}


@pytest.mark.parametrize(
    ("filter", "says"),
    [
        ({"should": [RANGE] * 1001}, "1001 conditions, nested ones included; at most 1000"),
        ({"must": [{"should": [RANGE] * 400, "must_not": [RANGE] * 600}]}, "1001 conditions"),
        (at_least(1, [{"must": [RANGE] * 1000}]), "1001 conditions"),
        (at_least(12, [RANGE] * 24), "met in too many ways"),
        (at_least(25, [{"must": RANGE}] * 50), "met in too many ways"),
        ({"must": [at_least(6, [RANGE] * 12)] * 2}, "met in too many ways"),
        ({"must": [{"has_id": ["a"] * 100_001}]}, "100001 values and ids; at most 100000"),
        (
            {"must": [{"has_id": ["a"] * 60_000}, {"must_not": [{"has_id": ["b"] * 40_001}]}]},
            "100001 values and ids",
        ),
        (field(match={"any": ["a"] * 100_001}), "100001 values"),
        (field(match={"except": [1] * 100_001}), "100001 values"),
    ],
)
def test_a_filter_that_would_hold_the_store_up_is_refused(filter: Any, says: str) -> None:
    with pytest.raises(InvalidFilter, match=says):
        parse_filter(filter)


def test_a_filter_of_the_largest_size_is_parsed() -> None:
    assert len(parse_filter({"should": [RANGE] * 1000}).should) == 1000
    assert parse_filter(at_least(2, [RANGE] * 40)).min_count == 2
    assert parse_filter(at_least(499, [RANGE] * 500)).min_count == 499
    (found,) = parse_filter(field(match={"any": list(range(100_000))})).must
    assert isinstance(found, MatchAny)
    assert len(found.values) == 100_000


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["must", "min_should", "key", "match", "range", "has_id", "any"]),
                inner,
            )
        ),
        max_leaves=12,
    )
)
def test_any_json_parses_or_is_refused_in_our_words(json: Any) -> None:
    with suppress(InvalidFilter):  # nothing else may be raised
        assert isinstance(parse_filter(json), Where)


# -- meaning

FIELDS = ["metadata.a", "metadata.b.c", "metadata.x y", "clusters.k", "key"]
KEYS = [str(i) for i in range(6)]
scalars = st.sampled_from([0, 1, -3, 2.5, 1.0, "a", "b", "1", "", True, False, None])
values = scalars | st.lists(scalars, max_size=3)


@st.composite
def payloads(draw: st.DrawFn) -> dict[str, Any]:
    """A payload in which each of FIELDS may be absent."""
    metadata: dict[str, Any] = draw(
        st.dictionaries(st.sampled_from(["a", "x y"]), values, max_size=2)
    )
    if draw(st.booleans()):
        metadata["b"] = draw(st.dictionaries(st.just("c"), values) | scalars)
    payload: dict[str, Any] = {"metadata": metadata}
    if draw(st.booleans()):
        payload["clusters"] = {"k": draw(st.integers(-1, 2))}
    if draw(st.booleans()):
        payload["key"] = draw(st.sampled_from(["a", "b"]))
    return payload


keyword_lists = st.lists(st.sampled_from(["a", "b", "1"]), max_size=2) | st.lists(
    st.integers(-3, 2), max_size=2
)
some_keywords = st.lists(st.sampled_from(["a", "b", "1"]), min_size=1, max_size=2) | st.lists(
    st.integers(-3, 2), min_size=1, max_size=2
)
operators = st.one_of(
    st.fixed_dictionaries(
        {
            "match": st.one_of(
                st.fixed_dictionaries(
                    {"value": st.sampled_from([0, 1, "a", "1", "", True, False])}
                ),
                st.fixed_dictionaries({"any": keyword_lists}),
                st.fixed_dictionaries({"except": some_keywords}),
            )
        }
    ),
    st.fixed_dictionaries(
        {
            "range": st.dictionaries(
                st.sampled_from(["gt", "gte", "lt", "lte"]),
                st.sampled_from([-3, 0, 1, 1.0, 2.5]),
                min_size=1,
            )
        }
    ),
    st.fixed_dictionaries({"is_empty": st.booleans()}),
    st.fixed_dictionaries({"is_null": st.booleans()}),
)
conditions = st.one_of(
    st.builds(lambda key, op: {"key": key, **op}, st.sampled_from(FIELDS), operators),
    st.builds(lambda ids: {"has_id": ids}, st.lists(st.sampled_from([*KEYS, "gone"]), max_size=4)),
    st.builds(lambda key: {"is_empty": {"key": key}}, st.sampled_from(FIELDS)),
    st.builds(lambda key: {"is_null": {"key": key}}, st.sampled_from(FIELDS)),
)


@st.composite
def filters(draw: st.DrawFn, depth: int = 0) -> dict[str, Any]:
    """A filter; one inside another is never empty, for {} is no condition."""
    inner = conditions if depth == 2 else conditions | filters(depth + 1)
    clauses = st.sampled_from(["must", "should", "must_not", "min_should"])
    filter: dict[str, Any] = {}
    for clause in draw(st.lists(clauses, min_size=min(depth, 1), max_size=3, unique=True)):
        needed = int(clause == "min_should")
        several = draw(st.lists(inner, min_size=needed, max_size=3))
        filter[clause] = several
        if needed:
            count = draw(st.integers(1, len(several)))
            filter[clause] = {"conditions": several, "min_count": count}
    return filter


accepted = filters().filter(lambda filter: measure(filter).conditions <= MOST_UNINDEXED)


def matches(filter: dict[str, Any], key: str, payload: dict[str, Any]) -> bool:
    """The definition of Qdrant's filters, read straight from the JSON."""

    def one(condition: dict[str, Any]) -> bool:
        if "has_id" in condition:
            return key in condition["has_id"]
        for name, test in (("is_empty", empty), ("is_null", null)):
            if isinstance(condition.get(name), dict):
                return test(found(payload, condition[name]["key"]))
        if "key" in condition:
            return holds(condition, found(payload, condition["key"]))
        return matches(condition, key, payload)

    least = filter.get("min_should", {"conditions": [], "min_count": 0})
    return (
        all(map(one, filter.get("must", [])))
        and not any(map(one, filter.get("must_not", [])))
        and (not filter.get("should") or any(map(one, filter["should"])))
        and sum(map(one, least["conditions"])) >= least["min_count"]
    )


ABSENT = object()


def found(payload: Any, path: str) -> Any:
    for part in path.split("."):
        if not isinstance(payload, dict) or part not in payload:
            return ABSENT
        payload = payload[part]
    return payload


def empty(value: Any) -> bool:
    return value is ABSENT or value is None or value == []


def null(value: Any) -> bool:
    return value is None or (isinstance(value, list) and None in value)


def holds(condition: dict[str, Any], value: Any) -> bool:
    if "is_empty" in condition:
        return empty(value) is condition["is_empty"]
    if "is_null" in condition:
        return null(value) is condition["is_null"]
    each = [v for v in (value if isinstance(value, list) else [value]) if v not in (ABSENT, None)]
    if "range" in condition:
        return any(type(v) in {int, float} and within(v, condition["range"]) for v in each)
    ((kind, wanted),) = condition["match"].items()
    among = [(type(w), w) for w in (wanted if kind != "value" else [wanted])]
    return any(((type(v), v) in among) != (kind == "except") for v in each)


def within(value: float, bounds: dict[str, float]) -> bool:
    return (
        value > bounds.get("gt", float("-inf"))
        and value >= bounds.get("gte", float("-inf"))
        and value < bounds.get("lt", float("inf"))
        and value <= bounds.get("lte", float("inf"))
    )


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[PointStore]]:
    folder = tmp_path_factory.mktemp("filters")
    with embedded(folder) as one, memory(folder) as other:
        yield [one, other]


def same_everywhere(
    stores: list[PointStore], name: str, filter: dict[str, Any], written: list[dict[str, Any]]
) -> None:
    """Write the payloads, then let every store and the definition apply the filter."""
    points = [
        Point(point_id(key), vector(1), payload)
        for key, payload in zip(KEYS, written, strict=False)
    ]
    wanted = sorted(
        point_id(key)
        for key, payload in zip(KEYS, written, strict=False)
        if matches(filter, key, payload)
    )
    for store in stores:
        store.delete_matching(name, {})
        store.upsert(name, points)
        label(store, name, points)
        records, _ = store.scroll(name, filter=filter)
        assert [record.id for record in records] == wanted, store.kind
        assert store.count(name, filter) == len(wanted)
        hits = store.query(name, vector(1), filter=filter, limit=20)
        assert sorted(hit.id for hit in hits) == wanted, store.kind


def label(store: PointStore, name: str, points: list[Point]) -> None:
    labels = {
        p.id: p.payload["clusters"]["k"] for p in points if "k" in p.payload.get("clusters", {})
    }
    if labels:
        store.write_labels(name, "k", list(labels), np.array(list(labels.values())))


VALUES: list[Any] = [0, 1, -3, 2.5, 1.0, "a", "b", "1", "", True, False, None, {}, {"x": 1}]
VALUES += [[], [1], [1, "a"], [None], [True, 0], [2.5, None], ["a", "a"]]
CONDITIONS: list[dict[str, Any]] = [
    *({"match": {"value": v}} for v in (0, 1, "a", "1", "", True, False)),
    {"match": {"any": []}},
    *({"match": {kind: v}} for kind in ("any", "except") for v in (["a"], ["a", "1"], [0, 1])),
    *({"range": {bound: v}} for bound in ("gt", "gte", "lt", "lte") for v in (0, 1, 2.5)),
    *({"range": bounds} for bounds in ({"gt": 0, "lt": 2}, {"gte": 1, "lte": 1})),
    *({name: wanted} for name in ("is_empty", "is_null") for wanted in (True, False)),
]


def test_every_condition_means_the_same_for_every_value(stores: list[PointStore]) -> None:
    name = fresh(stores, {})
    written = {f"{i}": {"metadata": {"a": value}} for i, value in enumerate(VALUES)}
    written["absent"] = {"metadata": {}}
    for store in stores:
        store.upsert(name, [Point(point_id(k), vector(1), p) for k, p in written.items()])
    for condition in CONDITIONS:
        for clause in ("must", "should", "must_not"):
            filter = {clause: [{"key": "metadata.a", **condition}]}
            wanted = sorted(point_id(k) for k, p in written.items() if matches(filter, k, p))
            for store in stores:
                records, _ = store.scroll(name, filter=filter)
                assert [r.id for r in records] == wanted, (store.kind, filter)


def fresh(stores: list[PointStore], indexes: dict[str, FieldType]) -> str:
    name = uuid.uuid4().hex
    for store in stores:
        store.create_collection(collection(name))
        for indexed, type in indexes.items():
            store.create_index(name, indexed, type)
    return name


SETTINGS = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def plain(stores: list[PointStore]) -> str:
    return knowing_all_fields(stores, fresh(stores, {}))


def knowing_all_fields(stores: list[PointStore], name: str) -> str:
    """The collection, once an image had each field: a filter by another would be refused."""
    metadata = {"a": "a", "b": {"c": 0.5}, "x y": True}
    for store in stores:
        store.upsert(name, [Point(point_id("known"), vector(1), {"metadata": metadata})])
        store.delete_matching(name, {})
    return name


@SETTINGS
@given(filter=accepted, written=st.lists(payloads(), max_size=len(KEYS)))
def test_both_engines_and_the_definition_agree_on_every_filter(
    stores: list[PointStore], plain: str, filter: dict[str, Any], written: list[dict[str, Any]]
) -> None:
    same_everywhere(stores, plain, filter, written)


@pytest.fixture
def indexed(stores: list[PointStore]) -> str:
    types: dict[str, FieldType] = {"metadata.a": "keyword", "metadata.b.c": "float"}
    types |= {"metadata.x y": "bool", "clusters.k": "integer"}
    return knowing_all_fields(stores, fresh(stores, types))


typed = st.builds(
    lambda a, c, x, k: {"metadata": a | {"b": c} | x, "clusters": k},
    st.dictionaries(st.just("a"), st.sampled_from(["a", "b", "1", None, [], ["a", "b"]])),
    st.dictionaries(st.just("c"), st.sampled_from([0.0, 1.5, -3.0, None, [1.0, 2.5]])),
    st.dictionaries(st.just("x y"), st.sampled_from([True, False, None])),
    st.dictionaries(st.just("k"), st.integers(-1, 2)),
)


@SETTINGS
@given(filter=accepted, written=st.lists(typed, max_size=len(KEYS)))
def test_an_index_of_the_right_type_changes_no_answer(
    stores: list[PointStore], indexed: str, filter: dict[str, Any], written: list[dict[str, Any]]
) -> None:
    same_everywhere(stores, indexed, filter, written)
