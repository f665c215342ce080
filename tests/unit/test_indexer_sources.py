"""Which files are found, under which ids and with what metadata."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lookalike.errors import InvalidInput
from lookalike_indexer.sources import find


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A small tree of files; their contents do not matter here."""
    names = [
        "top.jpg",
        "cats/one.JPG",
        "cats/notes.txt",
        "cats/indoor/two.png",
        "dogs/three.webp",
        "dogs/.hidden.jpg",
        ".thumbnails/four.jpg",
    ]
    for name in names:
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return tmp_path / "photos"


def test_a_folder_gives_its_images_at_every_depth_and_nothing_else(photos: Path) -> None:
    found = find([photos])
    ids = ["top.jpg", "cats/one.JPG", "cats/indoor/two.png", "dogs/three.webp"]
    assert [file.id for file in found.files] == ids
    assert found.failures == []


def test_metadata_are_the_folder_within_the_root_and_its_name(photos: Path) -> None:
    metadata = {file.id: file.metadata for file in find([photos]).files}
    assert metadata["top.jpg"] == {}
    assert metadata["cats/one.JPG"] == {"folder": "cats", "label": "cats"}
    assert metadata["cats/indoor/two.png"] == {"folder": "cats/indoor", "label": "indoor"}


def test_a_glob_is_taken_as_it_is_with_ids_from_before_its_first_wildcard(photos: Path) -> None:
    found = find([f"{photos}/cats/**/*.*"])
    assert [file.id for file in found.files] == ["indoor/two.png", "notes.txt", "one.JPG"]


def test_a_file_is_taken_whatever_its_name(photos: Path) -> None:
    assert [file.id for file in find([photos / "cats/notes.txt"]).files] == ["notes.txt"]


def test_a_folder_with_brackets_in_its_name_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "[2020]").mkdir()
    (tmp_path / "[2020]/a.jpg").write_bytes(b"x")
    assert [file.id for file in find([tmp_path / "[2020]"]).files] == ["a.jpg"]


def test_a_file_named_twice_is_found_once(photos: Path) -> None:
    assert len(find([photos, photos / "top.jpg", photos]).files) == 4


def test_two_files_with_one_id_are_refused_with_both_named(photos: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "top.jpg"
    other.parent.mkdir()
    other.write_bytes(b"x")
    with pytest.raises(InvalidInput) as caught:
        find([photos, other])
    assert str(other) in caught.value.detail
    assert str(photos / "top.jpg") in caught.value.detail


def test_a_path_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no file or folder"):
        find([tmp_path / "nowhere"])


def test_what_cannot_be_indexed_is_reported_and_stops_nothing(photos: Path) -> None:
    (photos / "dangling.jpg").symlink_to(photos / "nowhere")
    os.mkfifo(photos / "pipe.jpg")
    bad_name = os.fsdecode(os.fsencode(photos) + b"/\xff.jpg")
    Path(bad_name).write_bytes(b"x")
    long = photos.joinpath(*["d" * 200] * 3, "a.jpg")
    long.parent.mkdir(parents=True)
    long.write_bytes(b"x")
    found = find([photos])
    assert len(found.files) == 4
    reasons = {Path(failure.path).name: failure.detail for failure in found.failures}
    assert reasons == {
        "dangling.jpg": "No such file or directory",
        "pipe.jpg": "Not a regular file.",
        "\\xff.jpg": "The file's name is not valid UTF-8.",
        "a.jpg": "The path is 608 characters long; ids have at most 512.",
    }
