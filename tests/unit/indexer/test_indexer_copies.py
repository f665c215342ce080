"""Exact copies are stored once with all their sources, and what is gone is deleted: whatever changes."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lookalike import Lookalike
from lookalike.client import Collection
from lookalike.errors import InvalidInput
from lookalike_indexer.indexing import index_into
from lookalike_indexer.targets import ServiceTarget
from tests.fakes.wire import JsonObject, WireService


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def stored(service: WireService, root: Path) -> dict[str, list[str]]:
    """The sources of each stored image, relative to the root."""
    return {
        id: [
            str(Path(source).relative_to(root))
            for source in image["metadata"].get("sources") or [image["source"]]
        ]
        for id, image in service.images["photos"].items()
    }


def test_copies_are_stored_once_with_all_their_sources(
    collection: Collection, service: WireService, tmp_path: Path
) -> None:
    root = write(tmp_path / "p", {"a.jpg": "x", "b/a.jpg": "x", "c.jpg": "y", "d.jpg": "x"})
    report = collection.index(root)
    assert (report.created, report.duplicates, report.total) == (2, 2, 4)
    assert stored(service, root) == {"a.jpg": ["a.jpg", "b/a.jpg", "d.jpg"], "c.jpg": ["c.jpg"]}
    again = collection.index(root)
    assert (again.skipped, again.total, service.uploads()) == (4, 4, 2)


def test_copies_are_stored_each_where_that_is_wanted(
    collection: Collection, service: WireService, tmp_path: Path
) -> None:
    root = write(tmp_path / "p", {"a.jpg": "x", "b.jpg": "x"})
    assert collection.index(root, duplicates="each").created == 2
    assert stored(service, root) == {"a.jpg": ["a.jpg"], "b.jpg": ["b.jpg"]}


def test_a_copy_of_a_broken_image_is_reported_too(collection: Collection, tmp_path: Path) -> None:
    root = write(tmp_path / "p", {"a.jpg": "broken", "b.jpg": "broken", "c.jpg": "x"})
    report = collection.index(root)
    assert [Path(failure.path).name for failure in report.failures] == ["a.jpg", "b.jpg"]
    assert report.created == 1


class Picky(WireService):
    """Refuses images for their metadata."""

    def _put(
        self, index: int, data: bytes, given: JsonObject, images: dict[str, JsonObject]
    ) -> JsonObject:
        if given["metadata"][index].get("age") == "old":
            return {"index": index, "error": {"code": "invalid_field", "detail": "not so"}}
        return super()._put(index, data, given, images)


def test_a_copy_of_what_failed_for_its_metadata_is_tried_itself(tmp_path: Path) -> None:
    root = write(tmp_path / "p", {f"{name}.jpg": "x" for name in "abcd"} | {"e.jpg": "poison"})
    (root / "rows.csv").write_text(
        "path,age\na.jpg,old\nb.jpg,old\nc.jpg,new\nd.jpg,new\ne.jpg,new\n"
    )
    service = Picky()
    with Lookalike(transport=service.transport(), retries=0) as client:
        report = client.collection("photos").index(root / "rows.csv")
    assert (report.created, report.duplicates, report.failed, report.total) == (1, 1, 3, 5)
    assert stored(service, root) == {"c.jpg": ["c.jpg", "d.jpg"]}
    assert sorted(Path(failure.path).name for failure in report.failures) == [
        "a.jpg",
        "b.jpg",
        "e.jpg",
    ]


def test_a_file_named_by_two_paths_is_one(
    collection: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write(tmp_path / "p", {"a.jpg": "x"})
    monkeypatch.chdir(tmp_path)
    assert collection.index([root, "p/a.jpg"]).total == 1


def test_a_copy_is_stored_itself_when_its_image_changes(
    collection: Collection, service: WireService, tmp_path: Path
) -> None:
    root = write(tmp_path / "p", {"a.jpg": "x", "b.jpg": "x", "c.jpg": "x"})
    collection.index(root)
    write(root, {"a.jpg": "another"})
    report = collection.index(root)
    assert (report.updated, report.created, report.duplicates, report.total) == (1, 1, 1, 3)
    assert stored(service, root) == {"a.jpg": ["a.jpg"], "b.jpg": ["b.jpg", "c.jpg"]}


def test_a_copy_in_another_folder_is_reported_when_its_image_changes(
    collection: Collection, service: WireService, tmp_path: Path
) -> None:
    first = write(tmp_path / "p", {"a.jpg": "x"})
    second = write(tmp_path / "q", {"b.jpg": "x"})
    collection.index(first)
    collection.index(second)
    write(first, {"a.jpg": "another"})
    assert collection.index(first).orphans == 1
    assert collection.index(second).created == 1
    assert set(service.images["photos"]) == {"a.jpg", "b.jpg"}


def test_an_image_that_becomes_a_copy_is_stored_no_more(
    collection: Collection, service: WireService, tmp_path: Path
) -> None:
    root = write(tmp_path / "p", {"a.jpg": "x", "b.jpg": "y"})
    collection.index(root)
    write(root, {"b.jpg": "x"})
    assert collection.index(root).duplicates == 1
    assert stored(service, root) == {"a.jpg": ["a.jpg", "b.jpg"]}


def test_prune_deletes_what_the_same_source_has_no_more(
    collection: Collection, service: WireService, tmp_path: Path
) -> None:
    first = write(tmp_path / "p", {"a.jpg": "1", "b.jpg": "2", "c.jpg": "3"})
    second = write(tmp_path / "q", {"d.jpg": "4"})
    collection.index(first)
    collection.index(second)
    (first / "b.jpg").unlink()
    (second / "d.jpg").unlink()
    assert collection.index(first).pruned == 0
    assert collection.index(first, prune=True).pruned == 1
    assert set(service.images["photos"]) == {"a.jpg", "c.jpg", "d.jpg"}
    assert collection.index(first / "a.jpg", prune=True).pruned == 0


def test_prune_keeps_copies_of_what_is_gone(
    collection: Collection, service: WireService, tmp_path: Path
) -> None:
    root = write(tmp_path / "p", {"a.jpg": "x", "b.jpg": "x"})
    collection.index(root)
    (root / "a.jpg").unlink()
    assert collection.index(root, prune=True).pruned == 1
    assert stored(service, root) == {"b.jpg": ["b.jpg"]}


def test_prune_forgets_the_sources_of_copies_that_are_gone(
    collection: Collection, service: WireService, tmp_path: Path
) -> None:
    root = write(tmp_path / "p", {"a.jpg": "x", "b.jpg": "x", "c.jpg": "x"})
    collection.index(root)
    (root / "c.jpg").unlink()
    collection.index(root, prune=True)
    assert stored(service, root) == {"a.jpg": ["a.jpg", "b.jpg"]}


def test_prune_asks_and_a_refusal_is_reported(
    collection: Collection, service: WireService, tmp_path: Path
) -> None:
    root = write(tmp_path / "p", {"a.jpg": "1", "b.jpg": "2", "c.jpg": "3"})
    collection.index(root)
    (root / "a.jpg").unlink()
    asked: list[tuple[int, int]] = []

    def refuse(gone: int, known: int) -> bool:
        asked.append((gone, known))
        return False

    report = index_into(ServiceTarget(collection), [root], prune=refuse)
    assert (asked, report.kept, report.pruned) == ([(1, 3)], 1, 0)
    assert len(service.images["photos"]) == 3


def test_prune_deletes_nothing_that_may_only_be_unreadable(
    collection: Collection, service: WireService, tmp_path: Path
) -> None:
    root = write(tmp_path / "p", {"a.jpg": "1", "b.jpg": "2"})
    collection.index(root)
    (root / "a.jpg").unlink()
    (root / "a.jpg").symlink_to("nowhere")
    report = collection.index(root, prune=True)
    assert (report.failed, report.pruned, report.kept) == (1, 0, 0)
    assert len(service.images["photos"]) == 2


def test_prune_keeps_everything_if_a_source_could_not_be_listed_to_its_end(
    collection: Collection, service: WireService, tmp_path: Path
) -> None:
    import tarfile

    root = write(tmp_path / "p", {f"{i}.jpg": f"{i}" * 3000 for i in range(6)})
    with tarfile.open(tmp_path / "s.tar", "w") as archive:
        for path in sorted(root.iterdir()):
            archive.add(path, path.name)
    collection.index(tmp_path / "s.tar")
    whole = (tmp_path / "s.tar").read_bytes()
    (tmp_path / "s.tar").write_bytes(whole[:9000])
    report = collection.index(tmp_path / "s.tar", prune=True)
    assert report.kept > 0
    assert len(service.images["photos"]) == 6


def test_standard_input_cannot_be_pruned_by(collection: Collection) -> None:
    with pytest.raises(InvalidInput, match="standard input"):
        collection.index("-", prune=True)


def test_changed_metadata_are_sent_though_the_image_is_the_same(
    collection: Collection, service: WireService, tmp_path: Path
) -> None:
    root = write(tmp_path / "p", {"a.jpg": "1", "b.jpg": "2"})
    rows = root / "rows.csv"
    rows.write_text("path,age\na.jpg,3\nb.jpg,4\n")
    collection.index(rows)
    rows.write_text("path,age\na.jpg,3\nb.jpg,5\n")
    report = collection.index(rows)
    assert (report.skipped, report.total, service.uploads()) == (1, 2, 3)
    assert service.images["photos"]["b.jpg"]["metadata"] == {"age": 5}


OPERATIONS = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from(["x", "y", "broken", None])), min_size=1
)


@settings(max_examples=60, deadline=None)
@given(rounds=st.lists(OPERATIONS, min_size=1, max_size=4))
def test_whatever_happens_to_the_files_each_content_is_stored_once_with_its_sources(
    rounds: list[list[tuple[str, str | None]]],
) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", f"{folder}/state")
        root = write(Path(folder, "p"), {"keep.jpg": "keep"})
        service = WireService()
        with Lookalike(transport=service.transport(), retries=0) as client:
            collection = client.collection("photos")
            for number, operations in enumerate(rounds):
                for name, text in operations:
                    if text is None:
                        (root / f"{name}.jpg").unlink(missing_ok=True)
                    else:
                        # The length differs by round, so that no change hides behind the clock.
                        write(root, {f"{name}.jpg": text + " " * number})
                report = collection.index(root, prune=True)
                files = {path.name: path.read_text() for path in root.iterdir()}
                assert report.total == len(files)
                check(service, root, files)


def check(service: WireService, root: Path, files: dict[str, str]) -> None:
    """Each sound content is stored once, under one of its files, with all of them as sources.

    A file that was sound and is broken now keeps its last sound image.
    """
    sound = {name: text for name, text in files.items() if not text.startswith("broken")}
    images = service.images["photos"]
    assert set(images) <= set(files)
    held = stored(service, root)
    for text in set(sound.values()):
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        named = {name for name, each in sound.items() if each == text}
        ids = [id for id, image in images.items() if image["sha256"] == sha256]
        assert len(ids) == 1, (text, ids)
        assert named <= set(held[ids[0]]) <= set(files)
    for id, image in images.items():
        if id in sound:
            assert image["sha256"] == hashlib.sha256(sound[id].encode()).hexdigest()


def test_a_random_order_of_kinds_does_not_matter_for_ids(
    collection: Collection, service: WireService, tmp_path: Path
) -> None:
    names = [f"{i}.jpg" for i in range(30)]
    random.Random(3).shuffle(names)  # noqa: S311 - reproducible
    root = write(tmp_path / "p", {name: str(i % 7) for i, name in enumerate(names)})
    collection.index(root)
    first = {i: min(names[i::7]) for i in range(7)}
    assert set(service.images["photos"]) == set(first.values())
