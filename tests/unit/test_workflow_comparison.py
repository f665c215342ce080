"""Comparisons on a store: which sets may be compared, and what is kept and shown of them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lookalike_service.analysis.progress import silent
from lookalike_service.errors import (
    InvalidField,
    InvalidParameters,
    SpaceMismatch,
    UnknownClustering,
    UnknownComparison,
)
from lookalike_service.jobs.runner import Task
from lookalike_service.jobs.worker_process import compute
from lookalike_service.schemas.comparisons import ComparisonOut, ComparisonRequest, Side
from lookalike_service.spaces import Space
from lookalike_service.store.protocol import Collection, Point, point_id
from lookalike_service.workflows import clustering, collections, comparison, runs
from lookalike_service.workflows.comparison_page import Explained, Pairs, render
from tests.clouds import unit
from tests.fakes.store import FakeStore

NAME, DIM = "c", 8
SPACE = Space("fake:m", "w", "avg", "p", DIM)
REAL = {"must": [{"key": "metadata.kind", "match": {"value": "real"}}]}
SYNTHETIC = {"must": [{"key": "metadata.kind", "match": {"value": "synthetic"}}]}
HOSTILE = "<script>alert(1)</script>\"'"


def images(prefix: str, count: int, *, shift: float, seed: int, kind: str) -> list[Point]:
    vectors = np.random.default_rng(seed).normal(size=(count, DIM)) + 1
    vectors[:, 0] += shift
    return [
        Point(
            point_id(f"{prefix}{i}"),
            vector,
            {"key": f"{prefix}{i}", "metadata": {"kind": kind}, "source": None},
        )
        for i, vector in enumerate(unit(vectors))
    ]


@pytest.fixture
def store() -> FakeStore:
    """Thirty real and twenty-five synthetic images, which lie elsewhere, and one of neither."""
    opened = FakeStore()
    opened.create_collection(Collection(NAME, SPACE, "2025-01-01T00:00:00+00:00"))
    opened.upsert(NAME, images("r", 30, shift=0, seed=0, kind="real"))
    opened.upsert(NAME, images("s", 25, shift=3, seed=1, kind="synthetic"))
    return opened


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Path]:
    """A new folder for each job."""

    def numbered() -> Iterator[Path]:
        for i in itertools.count():
            (tmp_path / str(i)).mkdir()
            yield tmp_path / str(i)

    return numbered()


def request(**given: Any) -> ComparisonRequest:
    sets = {
        "first": {"title": "real", "filter": REAL},
        "second": {"title": "synthetic", "filter": SYNTHETIC},
    }
    return ComparisonRequest.model_validate({"clusters": 3} | sets | given)


def compared(store: FakeStore, folder: Path, **given: Any) -> ComparisonOut:
    parameters = comparison.validate(store, NAME, request(**given))

    def here(
        function: str, parameters: dict[str, Any]
    ) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        figures = compute(function, folder, parameters, silent)
        return {p.stem: np.load(p, mmap_mode="r") for p in (folder / "out").glob("*.npy")}, figures

    task = Task(store, NAME, parameters, folder, silent, here)
    return ComparisonOut.model_validate(comparison.run(task))


# -- which sets


def test_without_a_second_filter_the_rest_is_compared(store: FakeStore) -> None:
    parameters = comparison.validate(store, NAME, request(second={}))
    assert parameters["second"] == {
        "title": "second",
        "collection": NAME,
        "filter": {"must_not": [REAL]},
    }


def test_sets_that_share_images_are_refused(store: FakeStore) -> None:
    with pytest.raises(InvalidParameters, match="25 images are in both sets"):
        comparison.validate(store, NAME, request(first={"filter": {}}))


def test_a_collection_is_not_compared_with_itself(store: FakeStore) -> None:
    with pytest.raises(InvalidField, match="Both sets are all of the collection"):
        comparison.validate(store, NAME, request(first={}, second={}))


def test_sets_that_are_too_small_are_refused_by_name(store: FakeStore) -> None:
    few = {"must": [{"has_id": ["s1", "s2"]}]}
    with pytest.raises(InvalidParameters, match="'few' has 2 images; a comparison needs 20"):
        comparison.validate(store, NAME, request(second={"title": "few", "filter": few}))


def test_collections_of_different_encoders_are_refused(store: FakeStore) -> None:
    other = Space("fake:other", "w", "avg", "p", DIM)
    store.create_collection(Collection("d", other, "2025-01-01T00:00:00+00:00"))
    with pytest.raises(SpaceMismatch, match="fake:other"):
        comparison.validate(store, NAME, request(second={"collection": "d"}))


def test_the_first_set_is_of_the_collection_itself(store: FakeStore) -> None:
    with pytest.raises(InvalidField, match="the first set is of 'c' itself"):
        comparison.validate(store, NAME, request(first={"collection": "d"}))


def test_a_clustering_must_exist_and_be_of_both_sets(store: FakeStore) -> None:
    with pytest.raises(UnknownClustering):
        comparison.validate(store, NAME, request(clustering="none"))
    store.create_collection(Collection("d", SPACE, "2025-01-01T00:00:00+00:00"))
    store.upsert("d", images("d", 25, shift=1, seed=2, kind="real"))
    with pytest.raises(InvalidField, match="of one collection"):
        comparison.validate(store, NAME, request(second={"collection": "d"}, clustering="k"))


# -- what comes of it


def test_a_comparison_says_how_different_the_sets_are_and_is_kept(
    store: FakeStore, folders: Iterator[Path]
) -> None:
    run = compared(store, next(folders))
    assert (run.first.points, run.second.points) == (30, 25)
    assert run.figures.mmd_p < 0.01
    assert run.figures.separability.auc.value > 0.9
    assert run.figures.frechet.distance.low > run.figures.frechet.no_difference
    assert sum(share.first for share in run.clusters) == 30
    assert sum(share.second for share in run.clusters) == 25
    assert comparison.get(store, NAME, "comparison") == run
    assert comparison.list_runs(store, NAME) == [run]
    assert {id[0] for id in run.first.typical} == {"r"}
    assert {id[0] for id in run.second.typical} == {"s"}
    for share in run.clusters:
        assert len(share.examples["first"]) == min(4, share.first)


def test_the_typical_images_lie_farthest_from_the_other_set(
    store: FakeStore, folders: Iterator[Path]
) -> None:
    run = compared(store, next(folders))
    _, arrays = comparison.load(store, NAME, "comparison")
    vectors = {r.payload["key"]: r.vector for r in store.retrieve(NAME, [
        point_id(f"s{i}") for i in range(25)
    ], vectors=True)}  # fmt: skip
    along = {key: float(arrays["direction"] @ vector) for key, vector in vectors.items()}
    assert run.second.typical == sorted(along, key=lambda key: -along[key])[:6]


def test_two_collections_of_one_encoder_are_compared(
    store: FakeStore, folders: Iterator[Path]
) -> None:
    store.create_collection(Collection("d", SPACE, "2025-01-01T00:00:00+00:00"))
    store.upsert("d", images("d", 25, shift=0, seed=2, kind="real"))
    run = compared(store, next(folders), second={"title": "other", "collection": "d"})
    assert (run.second.collection, run.second.points) == ("d", 25)
    assert run.figures.mmd_p > 0.01
    page = comparison.counterparts(
        store, NAME, "comparison", side="second", order="nearest", limit=5, offset=0
    )
    assert {one.id[0] for one in page.counterparts} == {"d"}
    assert {one.counterpart[0] for one in page.counterparts} == {"r"}


def test_the_clusters_of_a_clustering_are_used_and_unlabelled_images_told_apart(
    store: FakeStore, folders: Iterator[Path]
) -> None:
    store.put_document(clustering.KIND, runs.key(NAME, "k"), _clustering())
    labelled = [point_id(f"r{i}") for i in range(30)] + [point_id(f"s{i}") for i in range(20)]
    store.write_labels(NAME, "k", labelled, np.array([0] * 30 + [1] * 15 + [-1] * 5))
    run = compared(store, next(folders), clustering="k")
    counts = {share.label: (share.first, share.second) for share in run.clusters}
    assert counts == {0: (30, 0), 1: (0, 15), -1: (0, 5), comparison.NOT_LABELLED: (0, 5)}
    assert run.independence is not None
    assert run.independence.p < 0.001


def _clustering() -> dict[str, Any]:
    return {
        **dict.fromkeys(("name", "algorithm", "space", "created_at", "run"), "k"),
        "parameters": {},
        "diagnostics": {},
        **dict.fromkeys(("filter", "reduction")),
        **dict.fromkeys(("seed", "points", "noise", "seconds"), 0),
        "clusters": [],
    }


def test_counterparts_come_in_pages_the_farthest_first(
    store: FakeStore, folders: Iterator[Path]
) -> None:
    compared(store, next(folders))

    def page(limit: int, offset: int, order: comparison.Order = "farthest") -> list[Any]:
        found = comparison.counterparts(
            store, NAME, "comparison", side="second", order=order, limit=limit, offset=offset
        )
        assert found.total == 25
        return found.counterparts

    whole = page(100, 0)
    assert [one.cosine for one in whole] == sorted(one.cosine for one in whole)
    assert page(7, 3) == whole[3:10]
    assert [one.id for one in page(100, 0, "nearest")] != [one.id for one in whole]
    for one in whole[:3]:
        (own,) = store.retrieve(NAME, [point_id(one.id)], vectors=True)
        nearest = store.query(NAME, own.vector, limit=1, filter=REAL, exact=True)[0]  # type: ignore[arg-type]  # asked for
        assert nearest.payload["key"] == one.counterpart
        assert nearest.score == pytest.approx(one.cosine, abs=1e-5)


def test_deleted_images_are_left_out_of_counterparts(
    store: FakeStore, folders: Iterator[Path]
) -> None:
    compared(store, next(folders))
    store.delete(NAME, [point_id("s3")])
    page = comparison.counterparts(
        store, NAME, "comparison", side="second", order="farthest", limit=100, offset=0
    )
    assert len(page.counterparts) == 24


def test_a_comparison_is_deleted_by_itself_and_with_its_collection(
    store: FakeStore, folders: Iterator[Path]
) -> None:
    compared(store, next(folders))
    comparison.delete(store, NAME, "comparison")
    with pytest.raises(UnknownComparison, match="it has: none"):
        comparison.get(store, NAME, "comparison")
    compared(store, next(folders))
    collections.drop(store, NAME)
    assert store.documents(comparison.KIND) == []


# -- the page


class Tags(HTMLParser):
    """Collects tags with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def some_picture(side: Side, id: str) -> bytes:
    return b"picture"


def no_picture(side: Side, id: str) -> None:
    return None


def page_of(run: ComparisonOut, **changes: Any) -> str:
    explained = [
        Explained("first", HOSTILE, -0.5, b"overlay", None),
        Explained("second", HOSTILE, 0.5, None, HOSTILE),
    ]
    pairs = [Pairs("second", "farthest", [])]
    run = run.model_copy(update=changes)
    return render(run, HOSTILE, some_picture, explained, pairs)


def test_the_page_quotes_what_strangers_wrote_and_fetches_nothing(
    store: FakeStore, folders: Iterator[Path]
) -> None:
    run = compared(store, next(folders))
    first = run.first.model_copy(update={"title": HOSTILE, "collection": HOSTILE})
    text = page_of(run, first=first, clustering=HOSTILE)
    assert "<script" not in text
    tags = Tags()
    tags.feed(text)
    for tag, attributes in tags.found:
        assert tag not in {"script", "link", "iframe", "object", "form", "a"}
        assert not any(name.startswith("on") for name in attributes)
        assert (attributes.get("src") or "data:").startswith("data:")
    assert not re.search(r"https?://|@import|url\(", text)


def test_the_page_says_whether_the_sets_differ_at_all(
    store: FakeStore, folders: Iterator[Path]
) -> None:
    run = compared(store, next(folders))
    assert "The sets differ (p &lt; 0.001" in page_of(run)
    sure = run.figures.separability.model_copy(update={"p": 0.2})
    figures = run.figures.model_copy(update={"mmd_p": 0.5, "separability": sure})
    assert "not shown to differ (p = 0.4" in page_of(run, figures=figures)


def test_the_page_says_why_there_are_no_heat_maps(
    store: FakeStore, folders: Iterator[Path]
) -> None:
    run = compared(store, next(folders))
    text = render(run, "m", no_picture, "it is no network", [])
    assert "There are no heat maps: it is no network" in text
    assert "no picture is kept" in text
