"""The Duplicates room: groups are looked for, walked through by keyboard, and deleted on purpose only."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageOps
from playwright.sync_api import Locator, Page, expect

from lookalike import Lookalike
from tests.e2e.explorer.conftest import Explored

JOB_MS = 60_000
NAME = "copies"
PHOTOS = ("astronaut", "chelsea", "coffee")


@pytest.fixture
def copies(explored: Explored, tiles: Path, tmp_path: Path) -> Iterator[Explored]:
    """A collection of three pictures, each with a copy in another split and one that is mirrored."""
    with Lookalike(explored.url) as client:
        collection = client.create_collection(NAME, indexes={"metadata.split": "keyword"})
        for photo in PHOTOS:
            original = tiles / photo / "2-2.jpg"
            mirrored = tmp_path / f"{photo}.jpg"
            ImageOps.mirror(Image.open(original)).save(mirrored, quality=95)
            # The first to be indexed is the one that is proposed to be kept.
            collection.add([original], ids=[f"{photo}/a"], metadata=[{"split": "train"}])
            collection.add(
                [original, mirrored],
                ids=[f"{photo}/b", f"{photo}/mirrored"],
                metadata=[{"split": "test"}, {"split": "train"}],
            )
        yield explored
        explored.page.goto("about:blank")  # so that nothing is asked of what is gone
        client.delete_collection(NAME)


def ids(explored: Explored) -> set[str]:
    with Lookalike(explored.url) as client:
        return {image.id for image in client.collection(NAME).images()}


def search(explored: Explored) -> Page:
    """Look for duplicates, as one does at first."""
    page = explored.page
    page.goto(f"{explored.url}/?c={NAME}&room=duplicates")
    page.get_by_role("button", name="Look for duplicates").click()
    page.get_by_role("button", name="Look for them").click()
    expect(page.get_by_role("heading", name="Group 1 of 3")).to_be_visible(timeout=JOB_MS)
    pictures_are_shown(page.get_by_role("list", name="Images of the group"))
    return page


def pictures_are_shown(images: Locator) -> None:
    """Wait for the picture of each image: one that is deleted before it was fetched is not found."""
    expect(images.get_by_role("listitem").first).to_be_visible()
    expect(images.locator("img")).to_have_count(images.get_by_role("listitem").count())


def test_groups_are_decided_with_the_keyboard_and_deleted_after_a_question(
    copies: Explored,
) -> None:
    page = search(copies)
    cards = page.get_by_role("list", name="Images of the group").get_by_role("listitem")
    expect(cards.first.get_by_role("strong")).to_have_text("astronaut/a")
    first = cards.count()
    page.keyboard.press("1")
    expect(cards.first).to_contain_text("kept")
    expect(cards.nth(1)).to_contain_text("to be deleted")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("heading", name="Group 2 of 3")).to_be_visible()
    page.keyboard.press("2")
    expect(cards.nth(1)).to_contain_text("kept")
    page.keyboard.press("u")
    expect(cards.nth(1)).not_to_contain_text("kept")
    page.keyboard.press("a")
    expect(cards.first).to_contain_text("kept")
    assert "group=2" in copies.address

    page.reload()  # what was decided is still there
    marked = page.get_by_role("status").filter(has_text="marked to be deleted")
    expect(marked).to_contain_text("2 of 3 groups decided")
    page.keyboard.press("d")
    dialog = page.get_by_role("dialog", name=f"Delete {first - 1}")
    pictures_are_shown(dialog.get_by_role("list", name="Images to be deleted"))
    assert len(ids(copies)) == 9
    dialog.get_by_role("button", name="Delete").last.click()
    expect(page.get_by_role("heading", name="of 2")).to_be_visible()
    left = ids(copies)
    assert len(left) == 9 - (first - 1)
    assert "astronaut/a" in left


def test_what_differs_is_told_and_why_it_is_a_duplicate(copies: Explored) -> None:
    page = search(copies)
    page.get_by_label("Exact").check()
    page.keyboard.press("a")  # a choice that has the focus takes arrows only
    cards = page.get_by_role("list", name="Images of the group").get_by_role("listitem")
    expect(cards.first).to_contain_text("kept")
    copy = cards.filter(has_text="astronaut/b")
    expect(copy).to_contain_text("The same bytes")
    expect(copy.get_by_role("definition").filter(has_text="test")).to_be_visible()


def test_pictures_shared_between_splits_are_told(copies: Explored) -> None:
    page = search(copies)
    page.get_by_label("Between splits").check()
    expect(page.get_by_text("test and train")).to_be_visible()
    pairs = page.get_by_role("list", name="Pairs").get_by_role("listitem")
    expect(pairs.first).to_contain_text("The same bytes")
    expect(page.get_by_text("scores on the test set come out too good")).to_be_visible()


def test_the_plan_is_a_list_and_is_applied_only_when_agreed_to(copies: Explored) -> None:
    page = search(copies)
    page.get_by_label("All at once").check()
    page.get_by_label("Near").uncheck()
    expect(page.get_by_text("3 would go, 6 stay")).to_be_visible()
    pictures_are_shown(page.get_by_role("list", name="Images that would go"))
    with page.expect_download() as download:
        page.get_by_role("button", name="Save the plan as CSV").click()
    rows = list(csv.DictReader(download.value.path().read_text().splitlines()))
    planned = {row["id"] for row in rows if row["action"] == "delete"}
    assert planned == {f"{photo}/b" for photo in PHOTOS}
    page.get_by_role("button", name="Delete 3 …").click()
    sure = page.get_by_role("dialog", name="Delete 3 images?")
    sure.get_by_role("button", name="Delete 3").click(force=True)
    assert len(ids(copies)) == 9  # the box was not ticked
    sure.get_by_label("I have looked at some groups").check()
    sure.get_by_role("button", name="Delete 3").click()
    expect(page.get_by_text("0 would go")).to_be_visible()
    assert ids(copies) == {f"{photo}/{kind}" for photo in PHOTOS for kind in ("a", "mirrored")}
