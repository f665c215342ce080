"""Pairs of duplicates against brute force, and groups against what they promise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from lookalike_service.analysis.duplicates import pairs as pairs_module
from lookalike_service.analysis.duplicates.analyse import NO_BITS, compare, gather
from lookalike_service.analysis.duplicates.groups import group
from lookalike_service.analysis.duplicates.pairs import Distinct, Pairs, find_pairs
from lookalike_service.analysis.progress import silent
from lookalike_service.errors import InvalidParameters
from tests.clouds import Points, unit


def points(n: int = 300, *, dim: int = 32, copies: int = 60, seed: int = 0) -> Points:
    """Unit vectors of falling energy, as embeddings are, some of which nearly repeat others."""
    rng = np.random.default_rng(seed)
    scale = np.linspace(2, 0.05, dim)
    base = rng.normal(size=(n - copies, dim)) * scale
    near = base[:copies] + 0.05 * rng.normal(size=(copies, dim)) * scale
    return unit(rng.permutation(np.concatenate([base, near])))


def all_pairs(vectors: Points, threshold: float) -> set[tuple[int, int]]:
    cosines = vectors @ vectors.T
    return {(i, j) for j in range(len(vectors)) for i in range(j) if cosines[i, j] >= threshold}


def as_set(found: Pairs) -> set[tuple[int, int]]:
    return set(zip(found.first.tolist(), found.second.tolist(), strict=True))


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairs_module, "_ROWS", 37)
    monkeypatch.setattr(pairs_module, "_COLUMNS", 64)


@pytest.mark.parametrize("threshold", [0.3, 0.8, 0.97, 0.995])
@pytest.mark.usefixtures("small_blocks")
def test_screening_misses_no_pair_and_adds_none(threshold: float) -> None:
    vectors = points()
    rows = np.random.default_rng(1).permutation(len(vectors))
    found = find_pairs(Distinct(vectors, rows), 0, len(rows), threshold, silent)
    assert as_set(found) == all_pairs(vectors[rows], threshold)
    expected = (vectors[rows][found.first] * vectors[rows][found.second]).sum(axis=1)
    np.testing.assert_allclose(found.cosine, expected, atol=1e-5)


@pytest.mark.parametrize("energy", ["falling", "flat"])
def test_screening_holds_whatever_the_energy_of_the_directions(energy: str) -> None:
    vectors = points(dim=24)
    if energy == "flat":  # nothing to screen by
        vectors = unit(np.random.default_rng(0).normal(size=(200, 24)))
        vectors = np.concatenate([vectors, vectors[:9]])
    found = find_pairs(Distinct(vectors, np.arange(len(vectors))), 0, len(vectors), 0.9, silent)
    assert as_set(found) == all_pairs(vectors, 0.9)


@pytest.mark.usefixtures("small_blocks")
def test_parts_one_after_the_other_find_what_the_whole_finds() -> None:
    vectors = points()
    whole = Distinct(vectors, np.arange(len(vectors)))
    parts: set[tuple[int, int]] = set()
    for start, stop in ((0, 100), (100, 101), (101, 300)):
        found = as_set(find_pairs(whole, start, stop, 0.9, silent))
        assert not parts & found
        parts |= found
    assert parts == all_pairs(vectors, 0.9)


def test_pictures_that_all_look_alike_are_refused_with_what_to_do() -> None:
    vectors = unit(np.ones((400, 8)) + 0.001 * np.random.default_rng(0).normal(size=(400, 8)))
    with pytest.raises(InvalidParameters, match="Ask for a higher cosine"):
        find_pairs(Distinct(vectors, np.arange(400)), 0, 400, 0.9, silent)


def test_one_new_picture_may_have_more_duplicates_than_pictures_have_on_average() -> None:
    many = unit(np.ones((150, 8)) + 0.001 * np.random.default_rng(0).normal(size=(150, 8)))
    vectors = np.concatenate([points(n=200, dim=8, copies=0), many])
    found = find_pairs(Distinct(vectors, np.arange(350)), 349, 350, 0.99, silent)
    assert len(found.first) >= 149


# -- groups


@given(
    st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=30),
    st.permutations(range(12)),
)
@settings(max_examples=60, deadline=None)
def test_every_member_is_a_duplicate_of_its_leader_and_no_better_one_follows_it(
    links: list[tuple[int, int]], order: list[int]
) -> None:
    pairs = sorted({(min(a, b), max(a, b)) for a, b in links if a != b})
    first = np.array([a for a, _ in pairs], np.int32)
    second = np.array([b for _, b in pairs], np.int32)
    found = group(first, second, np.array(order))
    place = {node: i for i, node in enumerate(order)}
    for node, leader in enumerate(found.leader.tolist()):
        assert found.leader[leader] == leader
        assert (found.link[node] == -1) == (leader == node)
        if leader != node:
            assert pairs[found.link[node]] == (min(node, leader), max(node, leader))
            assert place[leader] < place[node]
    for a, b in pairs:  # two leaders are never each other's duplicates
        assert not (found.leader[a] == a and found.leader[b] == b)


def test_a_chain_whose_ends_have_nothing_in_common_is_cut() -> None:
    first, second = np.array([0, 1, 2, 3], np.int32), np.array([1, 2, 3, 4], np.int32)
    found = group(first, second, np.arange(6))
    assert found.leader.tolist() == [0, 0, 2, 2, 4, 5]
    assert found.cut == 1


# -- kinds


def run(**given: Any) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
    return gather(given, {"near": 0.9, "bits": 10}, silent)


def test_kinds_follow_from_content_cosine_and_hash() -> None:
    """Contents 0 to 3, of which 0 has two images; 1 is near to it, 2 a variant, 3 alone."""
    out, figures = run(
        content=np.array([0, 1, 2, 0, 3], np.int32),
        rank=np.array([1, 2, 3, 0, 4], np.int32),  # the second image of content 0 is the best
        first=np.array([0, 0], np.int32),
        second=np.array([1, 2], np.int32),
        cosine=np.array([0.95, 0.97], np.float32),
        bits=np.array([4, 30], np.uint8),
    )
    assert out["row"].tolist() == [3, 0, 1, 2]
    assert out["kind"].tolist() == [0, 1, 2, 3]
    assert out["group"].tolist() == [0, 0, 0, 0]
    assert out["keeper"].tolist() == [0, 0, 0, 0]
    assert out["twin"].tolist() == [0, 0, 2, 3]
    assert figures == {"groups": 1, "cut": 0, "exact": 1, "near": 1, "variant": 1}


def test_larger_groups_come_first_and_an_image_left_alone_is_in_none() -> None:
    """0-1-2 is a chain, cut behind its best, 0; 3, 4 and 5 are one group."""
    out, figures = run(
        content=np.arange(6, dtype=np.int32),
        rank=np.array([0, 1, 2, 4, 3, 5], np.int32),
        first=np.array([0, 1, 3, 4], np.int32),
        second=np.array([1, 2, 4, 5], np.int32),
        cosine=np.full(4, 0.95, np.float32),
        bits=np.zeros(4, np.uint8),
    )
    assert out["row"].tolist() == [4, 3, 5, 0, 1, 2]
    assert out["group"].tolist() == [0, 0, 0, 1, 1, -1]
    assert figures["cut"] == 1


def test_no_pairs_and_no_copies_make_no_groups() -> None:
    none = np.zeros(0, np.int32)
    out, figures = run(
        content=np.arange(3, dtype=np.int32),
        rank=np.arange(3, dtype=np.int32),
        first=none,
        second=none,
        cosine=np.zeros(0, np.float32),
        bits=np.zeros(0, np.uint8),
    )
    assert len(out["row"]) == 0
    assert figures["groups"] == 0


def test_a_pair_without_a_hash_can_be_a_variant_alone() -> None:
    vectors = unit(np.array([[1, 0.0, 0], [1, 0.1, 0], [1, 0, 0.35], [0, 1, 0]]))
    given: dict[str, NDArray[Any]] = {
        "vectors": vectors,
        "rows": np.arange(4),
        "hashes": np.array([5, 5, 5, 5], np.uint64),
        "hashed": np.array([True, False, True, True]),
    }
    wanted = {"near": 0.9, "variant": 0.99, "bits": 10, "start": 0, "stop": 4, "begin": 0, "end": 4}
    out, _ = compare(given, wanted, silent)
    found = dict(
        zip(
            zip(out["first"].tolist(), out["second"].tolist(), strict=True),
            out["bits"],
            strict=True,
        )
    )
    assert found == {(0, 1): NO_BITS, (0, 2): 0}, "1 and 2 are near by cosine, but not by hash"
