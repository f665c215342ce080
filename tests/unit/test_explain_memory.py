"""What is remembered of explained images, and what is kept of clusters to explain them by."""

from __future__ import annotations

from typing import Literal

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lookalike_service.analysis.diagnostics import centroids
from lookalike_service.encoders.batch import EncodedItem
from lookalike_service.workflows.seen import Seen, SeenCache

BYTES = 4 * 4 * 3 + 2 * 2 * 2 * 4


def seen(sha256: str, made_from: Literal["image", "thumbnail"] = "image") -> Seen:
    item = EncodedItem(np.ones(2, np.float32), 1.0, np.ones((2, 2, 2), np.float32))
    return Seen(sha256, np.zeros((4, 4, 3), np.uint8), item, made_from)


def test_what_was_used_longest_ago_is_forgotten_first() -> None:
    cache = SeenCache(3 * BYTES)
    for name in "abc":
        cache.put("space", seen(name))
    cache.get("space", "a")
    cache.put("space", seen("d"))
    assert [name for name in "abcd" if cache.get("space", name)] == ["a", "c", "d"]


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["image", "thumbnail"]))))
def test_no_more_is_held_than_allowed(
    puts: list[tuple[str, Literal["image", "thumbnail"]]],
) -> None:
    cache = SeenCache(3 * BYTES)
    for name, made_from in puts:
        cache.put("space", seen(name, made_from))
    assert sum(cache.get("space", name) is not None for name in "abcdef") <= 3


def test_a_thumbnail_never_takes_the_place_of_its_image() -> None:
    cache = SeenCache()
    for made_from, kept in (("thumbnail", "thumbnail"), ("image", "image"), ("thumbnail", "image")):
        cache.put("space", seen("a", made_from))  # type: ignore[arg-type] # the literals above
        found = cache.get("space", "a")
        assert found is not None
        assert found.made_from == kept


def test_spaces_are_kept_apart() -> None:
    cache = SeenCache()
    cache.put("one", seen("a"))
    assert cache.get("other", "a") is None


def test_centroids_are_the_directions_of_the_clusters_means() -> None:
    rng = np.random.default_rng(0)
    points = rng.standard_normal((9, 4)).astype(np.float32)
    labels = np.array([0, 0, 0, 0, 1, 1, 1, -1, -1])
    found = centroids(points, labels)
    for label in (0, 1):
        mean = points[labels == label].mean(axis=0)
        np.testing.assert_allclose(found[label], mean / np.linalg.norm(mean), atol=1e-6)


def test_members_that_cancel_out_have_no_centroid() -> None:
    points = np.array([[1, 0], [-1, 0], [0, 1]], np.float32)
    np.testing.assert_array_equal(centroids(points, np.array([0, 0, 1])), [[0, 0], [0, 1]])
    assert centroids(points, np.full(3, -1)).shape == (0, 2)
