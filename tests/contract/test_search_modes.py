"""Ways to search, on every store: each must give what comparing with every image gives."""

from __future__ import annotations

import uuid
from typing import Any

import numpy as np
import pytest

from lookalike_service.errors import InvalidField, InvalidFilter, LookalikeError
from lookalike_service.schemas.search import SearchRequest
from lookalike_service.store.point_store import PointStore
from lookalike_service.store.protocol import Point, Vector
from lookalike_service.workflows import grouping
from lookalike_service.workflows.search import Found, find, find_each
from lookalike_service.workflows.sought import check, looked_up, sought
from tests.contract.stores import SPACE, collection, point, vector

COUNT = 200
PATIENTS = 30
VECTORS = np.stack([vector(i) for i in range(COUNT)])


def metadata(i: int) -> dict[str, Any]:
    """Patient 0 has half of all images; each ninth image has no patient; some have several tags."""
    patient = {} if i % 9 == 8 else {"patient": f"p{0 if i % 2 else i % PATIENTS}"}
    return patient | {"flag": i % 3 == 0, "number": i % 4, "tags": [f"t{i % 5}", f"t{i % 7}"]}


@pytest.fixture(scope="module")
def name(store: PointStore) -> str:
    name = f"c-{uuid.uuid4().hex}"
    store.create_collection(collection(name))
    points: list[Point] = [point(i, VECTORS[i], **metadata(i)) for i in range(COUNT)]
    store.upsert(name, points)
    ids = [each.id for each in points]
    store.write_labels(name, "k", ids, np.arange(COUNT) % 6 - 1)
    return name


def search(store: PointStore, name: str, **asked: Any) -> list[Found]:
    request = SearchRequest(**asked)
    check(request)
    looked_for = sought(request, name, SPACE, looked_up(store, name, [request]))
    return find(store, name, request, looked_for)


def keys(found: list[Found]) -> list[int]:
    return [int(one.hit.payload["key"]) for one in found]


def ranked(query: Vector, among: list[int] | None = None) -> list[int]:
    """Images by their cosine with a query, by brute force."""
    rows = np.arange(COUNT) if among is None else np.array(among)
    scores = np.round(VECTORS[rows] @ (query / np.linalg.norm(query)), 6)
    return [int(row) for row in rows[np.argsort(-scores, kind="stable")]]


QUERY = vector(1000)


# -- grouping


def by_patient(query: Vector) -> dict[str, list[int]]:
    groups: dict[str, list[int]] = {}
    for i in ranked(query):
        if "patient" in metadata(i):
            groups.setdefault(metadata(i)["patient"], []).append(i)
    return groups


@pytest.mark.parametrize("limit", [1, 5, 100])
def test_grouping_gives_the_best_hit_of_each_group_in_order(
    store: PointStore, name: str, limit: int
) -> None:
    found = search(store, name, vector=QUERY.tolist(), group_by="metadata.patient", limit=limit)
    expected = by_patient(QUERY)
    assert [one.group for one in found] == list(expected)[:limit]
    assert keys(found) == [hits[0] for hits in expected.values()][:limit]


def test_groups_are_found_behind_one_that_fills_many_pages(store: PointStore, name: str) -> None:
    big = {"must": [{"key": "metadata.patient", "match": {"any": ["p0", "p4", "p6"]}}]}
    found = search(
        store, name, vector=QUERY.tolist(), group_by="metadata.patient", limit=3, filter=big
    )
    assert {one.group for one in found} == {"p0", "p4", "p6"}


def test_many_short_rounds_find_the_same_groups_as_one_long(
    store: PointStore, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {"vector": QUERY.tolist(), "group_by": "metadata.patient", "limit": 10}
    at_once = search(store, name, **asked)
    monkeypatch.setattr(grouping, "_page", lambda _: 1)
    monkeypatch.setattr(grouping, "_MOST", 2)
    assert search(store, name, **asked) == at_once


@pytest.mark.parametrize("size", [2, 7])
def test_each_group_has_its_best_hits(store: PointStore, name: str, size: int) -> None:
    asked = {"vector": QUERY.tolist(), "group_by": "metadata.patient", "group_size": size}
    found = search(store, name, **asked, limit=6)
    expected = list(by_patient(QUERY).items())[:6]
    assert keys(found) == [i for _, hits in expected for i in hits[:size]]
    assert [one.group for one in found] == [g for g, hits in expected for _ in hits[:size]]


def test_pages_of_groups_fit_together(store: PointStore, name: str) -> None:
    asked = {"vector": QUERY.tolist(), "group_by": "metadata.patient"}
    whole = search(store, name, **asked, limit=12)
    pages = [search(store, name, **asked, limit=5, offset=at) for at in (0, 5, 10)]
    assert keys([one for page in pages for one in page])[:12] == keys(whole)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("metadata.flag", {True, False}),
        ("metadata.number", {0, 1, 2, 3}),
        ("clusters.k", {-1, 0, 1, 2, 3, 4}),
    ],
)
def test_flags_numbers_and_clusters_group_too(
    store: PointStore, name: str, field: str, values: set[Any]
) -> None:
    found = search(store, name, vector=QUERY.tolist(), group_by=field, limit=50)
    assert {one.group for one in found} == values
    assert len(found) == len(values)
    assert all(type(one.group) is type(next(iter(values))) for one in found)


def test_an_image_with_several_values_is_in_one_group(store: PointStore, name: str) -> None:
    asked = {"vector": QUERY.tolist(), "group_by": "metadata.tags", "group_size": 3}
    found = search(store, name, **asked, limit=20)
    assert len(keys(found)) == len(set(keys(found)))
    assert {one.group for one in found} <= {f"t{i}" for i in range(7)}
    for one in found:
        assert one.group in one.hit.payload["metadata"]["tags"]


def test_a_threshold_and_a_filter_hold_in_groups(store: PointStore, name: str) -> None:
    only = {"must": [{"key": "metadata.flag", "match": {"value": True}}]}
    asked = {"vector": QUERY.tolist(), "group_by": "metadata.patient", "filter": only}
    found = search(store, name, **asked, limit=30, score_threshold=0.2)
    assert found
    assert all(one.hit.score >= 0.2 and one.hit.payload["metadata"]["flag"] for one in found)


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("patient", "metadata.<name>"),
        ("metadata.nobody", "no image"),
        ("metadata.tags[0]", "plain names"),
    ],
)
def test_a_field_that_cannot_be_grouped_by_is_named(
    store: PointStore, name: str, field: str, told: str
) -> None:
    with pytest.raises(InvalidField, match=told):
        search(store, name, vector=QUERY.tolist(), group_by=field)


def test_a_value_that_cannot_be_a_group_is_named(store: PointStore, name: str) -> None:
    odd = f"{name}-odd"[:60]
    store.create_collection(collection(odd))
    store.upsert(odd, [point(1, depth=0.5)])
    with pytest.raises(InvalidField, match=r"image '1' has 0.5 in 'metadata.depth'"):
        search(store, odd, vector=QUERY.tolist(), group_by="metadata.depth")


def test_an_empty_collection_has_no_groups(store: PointStore, name: str) -> None:
    empty = f"{name}-empty"[:60]
    store.create_collection(collection(empty))
    assert search(store, empty, vector=QUERY.tolist(), group_by="metadata.patient") == []


# -- examples


def test_positives_are_left_out_and_averaged(store: PointStore, name: str) -> None:
    found = search(store, name, positive=["1", "2"], limit=10)
    expected = ranked(VECTORS[[1, 2]].mean(axis=0))
    assert keys(found) == [i for i in expected if i not in {1, 2}][:10]


def test_negatives_are_subtracted_and_left_out(store: PointStore, name: str) -> None:
    given = vector(77)
    asked: dict[str, Any] = {"positive": ["1", given.tolist()], "negative": ["3", "4"]}
    found = search(store, name, **asked, limit=8)
    target = VECTORS[1] + given - VECTORS[[3, 4]].mean(axis=0)
    assert keys(found) == [i for i in ranked(target) if i not in {1, 3, 4}][:8]


def by_best_score(positive: list[int], negative: list[int]) -> list[tuple[int, float]]:
    best = (VECTORS @ VECTORS[positive].T).max(axis=1)
    worst = (VECTORS @ VECTORS[negative].T).max(axis=1) if negative else np.full(COUNT, -2)
    kept = [i for i in range(COUNT) if best[i] > worst[i] and i not in {*positive, *negative}]
    return [(i, float(best[i])) for i in sorted(kept, key=lambda i: -best[i])]


@pytest.mark.parametrize("limit", [1, 10, 150])
@pytest.mark.parametrize("negative", [[], [20, 21, 22]])
def test_best_score_is_exact(store: PointStore, name: str, negative: list[int], limit: int) -> None:
    asked: dict[str, Any] = {"positive": ["5", "9", "13"], "strategy": "best_score"}
    asked |= {"negative": [str(i) for i in negative]} if negative else {}
    found = search(store, name, **asked, limit=limit)
    expected = by_best_score([5, 9, 13], negative)[:limit]
    assert keys(found) == [i for i, _ in expected]
    np.testing.assert_allclose(
        [one.hit.score for one in found], [score for _, score in expected], atol=2e-6
    )


def test_best_score_pages_and_groups(store: PointStore, name: str) -> None:
    asked: dict[str, Any] = {"positive": ["5", "9"], "negative": ["20"], "strategy": "best_score"}
    whole = keys(search(store, name, **asked, limit=20))
    assert keys(search(store, name, **asked, limit=12, offset=8)) == whole[8:]
    groups = search(store, name, **asked, group_by="metadata.number", limit=4)
    order = [i for i, _ in by_best_score([5, 9], [20])]
    firsts = [next(i for i in order if i % 4 == number) for number in range(4)]
    assert keys(groups) == sorted(firsts, key=order.index)


# -- diversity


def test_diversity_chooses_among_the_nearest_hundred(store: PointStore, name: str) -> None:
    plain = keys(search(store, name, vector=QUERY.tolist(), limit=100))
    assert keys(search(store, name, vector=QUERY.tolist(), limit=20, diversity=0)) == plain[:20]
    diverse = keys(search(store, name, vector=QUERY.tolist(), limit=10, diversity=0.5))
    assert diverse[0] == plain[0]
    assert set(diverse) <= set(plain)

    def alike(rows: list[int]) -> float:
        cosines = VECTORS[rows] @ VECTORS[rows].T
        return float(cosines[np.triu_indices(len(rows), 1)].mean())

    assert alike(diverse) < alike(plain[:10])


def test_pages_of_diverse_hits_fit_together(store: PointStore, name: str) -> None:
    asked = {"vector": QUERY.tolist(), "diversity": 0.4}
    whole = keys(search(store, name, **asked, limit=30))
    pages = [keys(search(store, name, **asked, limit=10, offset=at)) for at in (0, 10, 20)]
    assert [key for page in pages for key in page] == whole


# -- effort, many at once


@pytest.mark.parametrize("effort", [{"exact": True}, {"ef": 500}])
def test_exact_and_ef_reach_the_store(store: PointStore, name: str, effort: dict[str, Any]) -> None:
    found = search(store, name, vector=QUERY.tolist(), **effort)
    assert keys(found) == ranked(QUERY)[:10]


def test_searches_at_once_answer_as_each_alone_and_a_wrong_one_fails_alone(
    store: PointStore, name: str
) -> None:
    asked: list[dict[str, Any]] = [
        {"id": "3"},
        {"vector": QUERY.tolist(), "limit": 4, "offset": 2},
        {"id": "4", "filter": {"perhaps": []}},
        {"id": "5", "group_by": "metadata.patient"},
        {"positive": ["6", "7"], "strategy": "best_score"},
        {"id": "8", "diversity": 0.3, "limit": 5},
    ]
    requests = [SearchRequest(**one) for one in asked]
    records = looked_up(store, name, requests)
    outcomes = find_each(
        store, name, [(one, sought(one, name, SPACE, records)) for one in requests]
    )
    assert isinstance(outcomes[2], InvalidFilter)
    for one, outcome in zip(asked, outcomes, strict=True):
        if not isinstance(outcome, LookalikeError):
            assert keys(outcome) == keys(search(store, name, **one))
