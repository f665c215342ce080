"""Duplicates on a store: what is compared again, what is shown of the groups, and what is deleted when."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lookalike_service.analysis.perceptual_hash import as_text, perceptual_hash
from lookalike_service.analysis.progress import silent
from lookalike_service.errors import Conflict, InvalidField, UnknownDuplicates
from lookalike_service.jobs.runner import Task
from lookalike_service.jobs.worker_process import compute
from lookalike_service.schemas.duplicates import DuplicateKind, DuplicatesOut, DuplicatesRequest
from lookalike_service.spaces import Space
from lookalike_service.store.protocol import Collection, Point, point_id
from lookalike_service.workflows import (
    collections,
    duplicate_groups,
    duplicate_plan,
    duplicates,
)
from lookalike_service.workflows.duplicate_state import Compared
from tests.clouds import unit
from tests.fakes.store import FakeStore
from tests.pictures import encoded, scene

NAME, DIM = "c", 16
SPACE = Space("fake:m", "w", "avg", "p", DIM)
AXES = np.eye(DIM)
BOTH: tuple[DuplicateKind, ...] = ("exact", "near")
EXACT: tuple[DuplicateKind, ...] = ("exact",)


def point(
    key: str,
    vector: NDArray[np.floating],
    *,
    content: str | None = None,
    phash: int | None = 0,
    side: int = 10,
    format: str = "jpeg",
    day: int = 1,
    **metadata: Any,
) -> Point:
    payload = {
        "key": key,
        "sha256": hashlib.sha256((content or key).encode()).hexdigest(),
        "source": f"{key}.jpg",
        "width": side,
        "height": side,
        "format": format,
        "indexed_at": f"2025-01-{day:02}T00:00:00+00:00",
        "metadata": metadata,
    }
    if phash is not None:
        payload["phash"] = as_text(phash)
    return Point(point_id(key), unit(np.atleast_2d(vector))[0], payload)


def near(axis: int, amount: float = 0.1) -> NDArray[np.float64]:
    """A vector near an axis, of cosine 0.995 with it."""
    return np.asarray(AXES[axis] + amount * AXES[-1])


def library() -> list[Point]:
    """Three pictures with duplicates, and three without."""
    return [
        point("large", AXES[0], side=20, split="train"),
        point("copy", AXES[0], content="large", side=20, day=2, split="test"),
        point("small", near(0), phash=0b111, split="test"),
        point("mirrored", near(0, -0.1), phash=2**40 - 1, split="train"),
        point("png", AXES[1], format="png", split="train"),
        point("jpeg", near(1), split="train"),
        point("old", AXES[2], content="o", split="val"),
        point("old copy", AXES[2], content="o", split="val"),
        *(point(f"alone {i}", AXES[i], split="train") for i in (3, 4, 5)),
    ]


@pytest.fixture
def store() -> FakeStore:
    opened = FakeStore()
    opened.create_collection(Collection(NAME, SPACE, "2025-01-01T00:00:00+00:00"))
    opened.upsert(NAME, library())
    return opened


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Path]:
    """A new folder for each job."""

    def numbered() -> Iterator[Path]:
        for i in itertools.count():
            (tmp_path / str(i)).mkdir()
            yield tmp_path / str(i)

    return numbered()


Tell = Callable[[str, int, int | None], None]


def search(
    store: FakeStore, folder: Path, *, progress: Tell = silent, **request: Any
) -> DuplicatesOut:
    parameters = duplicates.validate(store, NAME, DuplicatesRequest(**request))

    def here(
        function: str, parameters: dict[str, Any]
    ) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        figures = compute(function, folder, parameters, progress)
        return {p.stem: np.load(p, mmap_mode="r") for p in (folder / "out").glob("*.npy")}, figures

    task = Task(store, NAME, parameters, folder, progress, here)
    return DuplicatesOut.model_validate(duplicates.run(task))


def groups(store: FakeStore, **asked: Any) -> dict[str, dict[str, str]]:
    """Of each representative the kinds of the others."""
    options = {"kind": None, "across": None, "limit": 100, "offset": 0} | asked
    found = duplicate_groups.groups(store, NAME, "duplicates", **options)
    return {
        group.representative: {one.id: one.kind for one in group.duplicates}
        for group in found.groups
    }


def plan(store: FakeStore, kinds: Any = BOTH, **page: int) -> Any:
    return duplicate_plan.plan(
        store, NAME, "duplicates", kinds, **({"limit": 100, "offset": 0} | page)
    )


def left(store: FakeStore) -> set[str]:
    return {record.payload["key"] for record in store.scroll(NAME, limit=100)[0]}


FIRST_GROUP = {"copy": "exact", "small": "near", "mirrored": "variant"}
GROUPS = {"large": FIRST_GROUP, "png": {"jpeg": "near"}, "old": {"old copy": "exact"}}


# -- groups


def test_copies_near_duplicates_and_variants_are_grouped_around_the_best(
    store: FakeStore, folders: Iterator[Path]
) -> None:
    run = search(store, next(folders))
    assert groups(store) == GROUPS
    assert (run.points, run.contents, run.compared, run.groups) == (11, 9, 9, 3)
    assert (run.exact, run.near_duplicates, run.variants) == (2, 2, 1)
    assert duplicates.get(store, NAME, "duplicates") == run
    assert duplicates.list_runs(store, NAME) == [run]


def test_groups_come_in_pages_and_by_kind(store: FakeStore, folders: Iterator[Path]) -> None:
    search(store, next(folders))
    assert [*groups(store, limit=1)] == ["large"]
    assert [*groups(store, limit=2, offset=1)] == ["png", "old"]
    assert [*groups(store, kind="variant")] == ["large"]
    assert [*groups(store, kind="exact")] == ["large", "old"]


def test_groups_across_values_of_a_field_are_those_that_leak(
    store: FakeStore, folders: Iterator[Path]
) -> None:
    search(store, next(folders))
    assert [*groups(store, across="metadata.split")] == ["large"]
    with pytest.raises(InvalidField):
        groups(store, across="split")


def test_a_group_of_which_one_image_is_left_is_no_longer_shown(
    store: FakeStore, folders: Iterator[Path]
) -> None:
    search(store, next(folders))
    store.delete(NAME, [point_id("jpeg"), point_id("copy")])
    assert groups(store) == {
        "large": {"small": "near", "mirrored": "variant"},
        "old": {"old copy": "exact"},
    }


def test_thresholds_are_those_of_the_request(store: FakeStore, folders: Iterator[Path]) -> None:
    search(store, next(folders), near=0.999, variant=0.999)
    assert groups(store) == {"large": {"copy": "exact"}, "old": {"old copy": "exact"}}
    search(store, next(folders), bits=1, variant=1.0)
    assert groups(store)["large"] == {"copy": "exact"}, "the hash of `small` differs in three bits"


def test_a_filter_bounds_the_search(store: FakeStore, folders: Iterator[Path]) -> None:
    only = {"must": [{"key": "metadata.split", "match": {"value": "train"}}]}
    search(store, next(folders), filter=only)
    assert groups(store) == {"large": {"mirrored": "variant"}, "png": {"jpeg": "near"}}


def test_images_without_a_hash_get_that_of_their_thumbnail(
    store: FakeStore, folders: Iterator[Path]
) -> None:
    picture = scene(seed=3)
    old = point("from before", near(6), phash=None)
    thumbnail = base64.b64encode(encoded(picture, "jpeg", quality=82)).decode()
    store.upsert(NAME, [Point(old.id, old.vector, {**old.payload, "thumbnail": thumbnail})])
    store.upsert(NAME, [point("new", AXES[6], phash=perceptual_hash(picture), side=30)])
    store.upsert(NAME, [point("no picture", AXES[7], phash=None)])
    run = search(store, next(folders), variant=1.0)
    assert groups(store)["new"] == {"from before": "near"}
    assert (run.hashed_from_thumbnails, run.without_hash) == (1, 1)
    again = search(store, next(folders), variant=1.0)
    assert (again.hashed_from_thumbnails, again.without_hash) == (0, 1)


# -- what is compared again


def test_only_new_contents_are_compared_and_the_answer_is_that_of_comparing_all(
    store: FakeStore, folders: Iterator[Path]
) -> None:
    search(store, next(folders))
    store.delete(NAME, [point_id("png"), point_id("alone 3")])
    store.upsert(
        NAME,
        [
            point("larger", near(0, 0.05), side=40),
            point("copy of alone", AXES[4], content="alone 4"),
            point("jpeg", AXES[5], content="another"),  # under an old id
        ],
    )
    run = search(store, next(folders))
    assert run.compared == 2, "the copy is of a known content"
    grown = groups(store)
    assert grown["larger"].keys() == {"large", "copy", "small", "mirrored"}
    assert "png" not in grown
    anew = search(store, next(folders), anew=True)
    assert anew.compared == anew.contents
    assert groups(store) == grown


def test_nothing_new_compares_nothing(store: FakeStore, folders: Iterator[Path]) -> None:
    search(store, next(folders))
    before = groups(store)
    assert search(store, next(folders)).compared == 0
    assert groups(store) == before


def test_other_criteria_compare_all(store: FakeStore, folders: Iterator[Path]) -> None:
    search(store, next(folders))
    assert search(store, next(folders), bits=4).compared == 9


class Killed(Exception):
    """The process died here."""


def test_a_job_that_was_killed_goes_on_from_its_last_slab(
    store: FakeStore, folders: Iterator[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(duplicates, "SLAB", 2)
    seen: list[tuple[int, int | None]] = []

    def dies(stage: str, done: int, total: int | None) -> None:
        if stage == "comparing":
            seen.append((done, total))
            if len(seen) == 4:
                raise Killed

    with pytest.raises(Killed):
        search(store, next(folders), progress=dies)
    assert seen == [(0, 9), (2, 9), (4, 9), (6, 9)]
    with pytest.raises(UnknownDuplicates):
        duplicates.get(store, NAME, "duplicates")
    run = search(store, next(folders))
    assert run.compared == 3, "six of nine contents were compared before"
    assert groups(store) == GROUPS


def test_forgetting_a_search_forgets_what_was_compared(
    store: FakeStore, folders: Iterator[Path]
) -> None:
    search(store, next(folders))
    duplicates.delete(store, NAME, "duplicates")
    assert store.arrays(Compared.KIND, "c/duplicates") is None
    with pytest.raises(UnknownDuplicates, match="there are: none"):
        duplicates.get(store, NAME, "duplicates")
    assert search(store, next(folders)).compared == 9


def test_dropping_the_collection_drops_its_searches(
    store: FakeStore, folders: Iterator[Path]
) -> None:
    search(store, next(folders))
    collections.drop(store, NAME)
    assert store.documents(duplicates.KIND) == store.documents(Compared.KIND) == []


# -- leakage


def test_leakage_names_the_values_that_share_pictures(
    store: FakeStore, folders: Iterator[Path]
) -> None:
    search(store, next(folders))
    found = duplicate_groups.leakage(
        store, NAME, "duplicates", "metadata.split", limit=100, offset=0
    )
    (between,) = found.between
    assert (between.first, between.second) == ("test", "train")
    assert between.images == [2, 2], "copy and small; large and mirrored"
    assert found.total == between.pairs == len(found.pairs)
    pairs = {frozenset((p.first, p.second)): p.kind for p in found.pairs}
    assert pairs[frozenset(("large", "copy"))] == "exact"
    assert pairs[frozenset(("large", "small"))] == "near"
    assert pairs[frozenset(("copy", "mirrored"))] == "variant"
    cosines = [pair.cosine for pair in found.pairs]
    assert cosines == sorted(cosines, reverse=True)
    page = duplicate_groups.leakage(store, NAME, "duplicates", "metadata.split", limit=2, offset=1)
    assert page.pairs == found.pairs[1:3]


def test_a_pair_that_grouping_cut_still_leaks(store: FakeStore, folders: Iterator[Path]) -> None:
    """Of the chain a, b, c the end c is in no group with a, and its pair with b counts."""
    steps = [AXES[8], AXES[8] + 0.3 * AXES[9], AXES[8] + 0.65 * AXES[9]]
    names = zip("abc", steps, ("train", "train", "test"), (30, 20, 10), strict=True)
    store.upsert(NAME, [point(n, v, split=s, side=size) for n, v, s, size in names])
    assert search(store, next(folders)).cut == 1
    assert "c" not in groups(store)["a"]
    found = duplicate_groups.leakage(
        store, NAME, "duplicates", "metadata.split", limit=100, offset=0
    )
    assert {"b", "c"} in [{pair.first, pair.second} for pair in found.pairs]


def test_a_field_that_no_duplicate_has_is_refused(
    store: FakeStore, folders: Iterator[Path]
) -> None:
    search(store, next(folders))
    with pytest.raises(InvalidField, match="No image with a duplicate"):
        duplicate_groups.leakage(store, NAME, "duplicates", "metadata.no", limit=1, offset=0)


# -- the plan


def test_the_plan_keeps_the_best_of_each_group_and_deletes_nothing(
    store: FakeStore, folders: Iterator[Path]
) -> None:
    search(store, next(folders))
    made = plan(store)
    assert set(made.ids) == {"copy", "small", "jpeg", "old copy"}
    assert (made.delete, made.keep, made.gone) == (4, 7, 0)
    assert len(left(store)) == 11
    assert set(plan(store, ["exact", "near", "variant"]).ids) == {*made.ids, "mirrored"}
    assert plan(store, limit=1, offset=1).ids == made.ids[1:2]


def test_copies_of_an_image_that_is_kept_go_where_their_group_stays(
    store: FakeStore, folders: Iterator[Path]
) -> None:
    store.upsert(NAME, [point("small copy", near(0), content="small", phash=0b111)])
    search(store, next(folders))
    assert set(plan(store, ["exact"]).ids) == {"copy", "small copy", "old copy"}
    assert set(plan(store, ["near"]).ids) == {"small", "small copy", "jpeg"}


def test_a_plan_is_carried_out_by_its_token_alone(
    store: FakeStore, folders: Iterator[Path]
) -> None:
    search(store, next(folders))
    token = plan(store).token
    for kinds, wrong in ((EXACT, token), (BOTH, "0" * 16)):
        with pytest.raises(Conflict, match="Read it anew"):
            duplicate_plan.apply(store, NAME, "duplicates", kinds, wrong)
    assert len(left(store)) == 11
    applied = duplicate_plan.apply(store, NAME, "duplicates", BOTH, token)
    assert (applied.deleted, applied.spared) == (4, 0)
    assert left(store) == {"large", "mirrored", "png", "old"} | {f"alone {i}" for i in (3, 4, 5)}
    again = duplicate_plan.apply(store, NAME, "duplicates", BOTH, token)
    assert (again.deleted, again.spared) == (0, 0)
    search(store, next(folders))
    assert groups(store) == {"large": {"mirrored": "variant"}}


def test_what_was_replaced_since_is_spared_and_so_is_the_last_of_a_group(
    store: FakeStore, folders: Iterator[Path]
) -> None:
    search(store, next(folders))
    token = plan(store).token
    store.upsert(NAME, [point("copy", AXES[9])])  # another picture by now
    store.delete(NAME, [point_id("png")])  # what was to be kept for `jpeg`
    assert (plan(store).delete, plan(store).gone) == (2, 2)
    rows = csv.DictReader(
        "".join(duplicate_plan.lines(store, NAME, "duplicates", BOTH)).splitlines()
    )
    assert sum(row["action"] == "delete" for row in rows) == 2
    applied = duplicate_plan.apply(store, NAME, "duplicates", BOTH, token)
    assert (applied.deleted, applied.spared) == (2, 2)
    assert {"copy", "jpeg"} <= left(store)


def test_the_list_says_of_every_image_whether_it_is_kept(
    store: FakeStore, folders: Iterator[Path]
) -> None:
    search(store, next(folders))
    text = "".join(duplicate_plan.lines(store, NAME, "duplicates", BOTH))
    rows = {row["id"]: row for row in csv.DictReader(io.StringIO(text))}
    assert rows.keys() == left(store)
    assert {key for key, row in rows.items() if row["action"] == "delete"} == {*plan(store).ids}
    assert rows["small"]["kept"] == "large"
    assert (rows["small"]["kind"], rows["small"]["bits"]) == ("near", "3")
    assert rows["large"] == {
        **dict.fromkeys(("kind", "kept", "cosine", "bits"), ""),
        "id": "large",
        "source": "large.jpg",
        "action": "keep",
    }
