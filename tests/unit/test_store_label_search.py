"""Searches under labels that many points have: found without handing over their ids, and the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lookalike_service.store import label_search
from lookalike_service.store.filters import parse_filter
from lookalike_service.store.label_search import meets
from lookalike_service.store.point_store import PointStore
from tests.contract.stores import STORES, collection, point, vector

N = 120
LABELS = np.arange(N) % 4 - 1


@pytest.fixture(scope="module", params=STORES)
def store(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PointStore]:
    with STORES[request.param](tmp_path_factory.mktemp(request.param)) as opened:
        opened.create_collection(collection("labelled"))
        opened.upsert("labelled", [point(i, half=i % 2) for i in range(N)])
        ids = [point(i).id for i in range(N)]
        opened.write_labels("labelled", "k", ids, LABELS)
        opened.write_labels("labelled", "some", ids[:100], LABELS[:100])
        yield opened


@pytest.fixture
def few_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_search, "_MANY", 1)


def labelled(clustering: str, **condition: Any) -> dict[str, Any]:
    return {"key": f"clusters.{clustering}", **condition}


CONDITIONS = [
    labelled("k", match={"value": 1}),
    labelled("k", match={"any": [-1, 2]}),
    labelled("k", match={"except": [0]}),
    labelled("k", range={"gte": 0, "lt": 2}),
    labelled("some", match={"value": 0}),
    labelled("some", is_empty=True),
    labelled("k", match={"value": "1"}),
    labelled("nothing", match={"value": 1}),
    {"key": "metadata.half", "match": {"value": 1}},
    {"has_id": [str(i) for i in range(60)]},
]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    must=st.lists(st.sampled_from(CONDITIONS), min_size=1, max_size=3),
    must_not=st.lists(st.sampled_from(CONDITIONS), max_size=1),
    limit=st.integers(1, 12),
    offset=st.integers(0, 5),
    seed=st.integers(0, 1000),
)
def test_hits_are_those_of_a_search_by_ids(
    store: PointStore,
    few_are_many: None,
    *,
    must: list[Any],
    must_not: list[Any],
    limit: int,
    offset: int,
    seed: int,
) -> None:
    filter = {"must": must, "must_not": must_not}
    query: dict[str, Any] = {"limit": limit, "offset": offset, "filter": filter}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(label_search, "_MANY", 10**9)
        expected = store.query("labelled", vector(seed), **query)
    assert store.query("labelled", vector(seed), **query) == expected


def test_no_ids_are_looked_up_where_the_likes_of_the_query_have_the_label(
    store: PointStore, few_are_many: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    nearest = store._engine.nearest

    def noting(name: str, queries: Any, **keywords: Any) -> Any:
        asked.extend(query.where for query in queries)
        return nearest(name, queries, **keywords)

    monkeypatch.setattr(store._engine, "nearest", noting, raising=False)
    only = {"must": [labelled("k", match={"any": [0, 1]})]}
    hits = store.query("labelled", vector(3), filter=only, limit=3)
    assert [hit.payload["clusters"]["k"] in (0, 1) for hit in hits] == [True] * 3
    assert asked == [parse_filter(None)]


def test_a_query_whose_likes_have_other_labels_is_answered_all_the_same(
    store: PointStore, few_are_many: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_search, "_SPARE", 0)
    own = int(LABELS[8])
    others = {"must": [labelled("k", match={"except": [own]}), {"has_id": ["8", "12", "16", "9"]}]}
    hits = store.query("labelled", vector(8), filter=others, limit=1)
    assert [hit.payload["key"] for hit in hits] == ["9"]


@pytest.mark.parametrize(
    ("condition", "label", "met"),
    [
        ({"match": {"value": 1}}, 1, True),
        ({"match": {"value": True}}, 1, False),
        ({"match": {"value": "1"}}, 1, False),
        ({"match": {"any": [1, 2]}}, 3, False),
        ({"match": {"except": [1, 2]}}, 3, True),
        ({"match": {"except": [1, 2]}}, None, False),
        ({"range": {"gt": 0, "lte": 1}}, 1, True),
        ({"range": {"gt": 1}}, 1, False),
        ({"is_empty": True}, None, True),
        ({"is_empty": True}, 0, False),
        ({"is_null": True}, None, False),
    ],
)
def test_a_label_meets_a_condition_as_the_stores_have_it(
    condition: dict[str, Any], label: int | None, met: bool
) -> None:
    (parsed,) = parse_filter({"must": [labelled("k", **condition)]}).must
    assert meets(parsed, label) is met  # type: ignore[arg-type]  # a condition on a field
