"""The Index room: folders and archives are sent, and what failed is told."""

from __future__ import annotations

import csv
import shutil
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from lookalike import Lookalike
from tests.e2e.explorer.conftest import Explored

SENT_MS = 60_000
PHOTOS = ("coffee", "rocket")


@pytest.fixture
def shop(tiles: Path, tmp_path: Path) -> Path:
    """A folder of 18 pictures in two folders, a picture that is cut off, one that is none, and a text."""
    folder = tmp_path / "shop"
    for name in PHOTOS:
        shutil.copytree(tiles / name, folder / name)
    whole = (folder / "coffee" / "0-0.jpg").read_bytes()
    (folder / "coffee" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "rocket" / "broken.png").write_text("hello")
    (folder / "notes.txt").write_text("no picture")
    return folder


def send(page: Page, chosen: str, path: Path, collection: str) -> None:
    """Choose a folder or a file, and send it into a new collection."""
    page.get_by_label(chosen, exact=True).set_input_files(path)
    page.get_by_label("Into").select_option("A new collection")
    page.get_by_label("Its name").fill(collection)
    page.get_by_role("button", name="Index", exact=False).last.click()


def test_a_folder_is_indexed_and_every_failure_has_its_reason(
    explored: Explored, shop: Path, tmp_path: Path
) -> None:
    page = explored.page
    page.goto(f"{explored.url}/?room=index")
    page.locator("input[webkitdirectory]").set_input_files(shop)
    expect(page.get_by_role("heading", name="20 pictures")).to_be_visible()
    expect(page.get_by_text("1 other file left out")).to_be_visible()
    expect(page.get_by_label("Its name")).to_have_value("shop")
    page.get_by_label("Its name").fill("dropped")
    page.get_by_role("button", name="Index 20 pictures").click()
    expect(page.get_by_role("heading", name="18 pictures are in dropped")).to_be_visible(
        timeout=SENT_MS
    )
    failures = page.get_by_role("region", name="Failures")
    expect(failures.get_by_role("listitem")).to_have_count(2)
    expect(failures).to_contain_text("shop/coffee/cut.jpg")
    with page.expect_download() as download:
        failures.get_by_role("button", name="Save as CSV").click()
    rows = list(csv.DictReader(download.value.path().read_text().splitlines()))
    assert {(row["path"], row["code"]) for row in rows} == {
        ("shop/coffee/cut.jpg", "truncated_image"),
        ("shop/rocket/broken.png", "unsupported_image"),
    }
    with Lookalike(explored.url) as client:
        stored = list(client.collection("dropped").images())
    assert {image.id.split("/")[0] for image in stored} == set(PHOTOS)
    assert all(image.metadata["label"] == image.id.split("/")[0] for image in stored)


def test_a_zip_is_read_in_the_browser_and_sent_again_it_changes_nothing(
    explored: Explored, shop: Path, tmp_path: Path
) -> None:
    page = explored.page
    archive = tmp_path / "things.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(shop.rglob("0-*.jpg")):
            file.write(path, path.relative_to(shop))
    page.goto(f"{explored.url}/?room=index")
    send(page, "Choose files or a zip", archive, "zipped")
    expect(page.get_by_role("heading", name="6 pictures are in zipped")).to_be_visible(
        timeout=SENT_MS
    )
    page.get_by_role("button", name="Index more").click()
    page.get_by_label("Choose files or a zip", exact=True).set_input_files(archive)
    expect(page.get_by_label("Into")).to_have_value("zipped")
    page.get_by_role("button", name="Index 6 pictures").click()
    expect(page.get_by_text("6 there already and unchanged")).to_be_visible(timeout=SENT_MS)
    with Lookalike(explored.url) as client:
        ids = {image.id for image in client.collection("zipped").images()}
    assert ids == {f"things/{name}/0-{column}.jpg" for name in PHOTOS for column in "024"}


def test_an_archive_that_is_none_is_told(explored: Explored, tmp_path: Path) -> None:
    broken = tmp_path / "broken.zip"
    broken.write_text("no archive")
    explored.page.goto(f"{explored.url}/?room=index")
    explored.page.get_by_label("Choose files or a zip", exact=True).set_input_files(broken)
    expect(explored.page.get_by_role("region", name="Failures")).to_contain_text(
        "The archive cannot be read"
    )


def test_sending_is_paused_and_goes_on_where_it_was(explored: Explored, tiles: Path) -> None:
    page = explored.page
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/v1/collections/paused/images", hold)
    page.goto(f"{explored.url}/?room=index")
    page.locator("input[webkitdirectory]").set_input_files(tiles)
    page.get_by_label("Its name").fill("paused")
    page.get_by_role("button", name="Index 162 pictures").click()
    while len(held) < 3:  # so many at once
        page.wait_for_timeout(50)
    page.get_by_role("button", name="Pause", exact=True).click()
    expect(page.get_by_role("heading", name="Paused")).to_be_visible()
    progress = page.get_by_role("progressbar", name="Pictures indexed")
    expect(progress).to_have_attribute("aria-valuenow", "0")
    assert len(held) == 3
    for route in held:
        route.continue_()
    expect(progress).to_have_attribute("aria-valuenow", "96", timeout=SENT_MS)
    assert len(held) == 3
    page.unroute("**/v1/collections/paused/images")
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", name="162 pictures are in paused")).to_be_visible(
        timeout=SENT_MS
    )


def test_trouble_pauses_it_and_nothing_is_lost(explored: Explored, shop: Path) -> None:
    page = explored.page
    broken = {"status": 500, "content_type": "application/problem+json"}
    body = '{"type": "x", "title": "x", "status": 500, "code": "internal_error", "detail": "Out of luck."}'
    address = "**/v1/collections/troubled/images"
    page.route(address, lambda route: route.fulfill(**broken, body=body))
    page.goto(f"{explored.url}/?room=index")
    page.locator("input[webkitdirectory]").set_input_files(shop)
    page.get_by_label("Its name").fill("troubled")
    page.get_by_role("button", name="Index 20 pictures").click()
    expect(page.get_by_role("alert")).to_contain_text("Out of luck.")
    explored.complaints.clear()  # browsers log an answer of 500
    page.unroute(address)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("heading", name="18 pictures are in troubled")).to_be_visible(
        timeout=SENT_MS
    )


def test_what_was_indexed_is_clustered_with_one_click(explored: Explored, shop: Path) -> None:
    page = explored.page
    page.goto(f"{explored.url}/?room=index")
    page.locator("input[webkitdirectory]").set_input_files(shop)
    page.get_by_label("Its name").fill("onwards")
    page.get_by_role("button", name="Index 20 pictures").click()
    page.get_by_role("button", name="Cluster them").click(timeout=SENT_MS)
    expect(page.get_by_role("list", name="Clusters").get_by_role("link").first).to_be_visible(
        timeout=SENT_MS
    )
    assert "c=onwards" in explored.address


def test_a_request_that_is_refused_as_a_whole_is_sent_picture_by_picture(
    explored: Explored, shop: Path
) -> None:
    page = explored.page
    asked = 0

    def refuse_the_first(route: Route) -> None:
        nonlocal asked
        asked += 1
        body = '{"type": "x", "title": "x", "status": 413, "code": "body_too_large", "detail": "Too much."}'
        if asked == 1:
            route.fulfill(status=413, content_type="application/problem+json", body=body)
        else:
            route.continue_()

    page.route("**/v1/collections/singly/images", refuse_the_first)
    page.goto(f"{explored.url}/?room=index")
    page.locator("input[webkitdirectory]").set_input_files(shop)
    page.get_by_label("Its name").fill("singly")
    page.get_by_role("button", name="Index 20 pictures").click()
    expect(page.get_by_role("heading", name="18 pictures are in singly")).to_be_visible(
        timeout=SENT_MS
    )
    expect(page.get_by_role("region", name="Failures").get_by_role("listitem")).to_have_count(2)
    assert asked == 21
    explored.complaints.clear()  # browsers log answers of 413 and 422
