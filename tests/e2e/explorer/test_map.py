"""The Map room, driven as people drive it."""

from __future__ import annotations

import json
import re

from playwright.sync_api import Locator, expect

from lookalike import Lookalike
from tests.e2e.explorer.conftest import COLLECTION, Explored

PHOTOGRAPH = "coffee"
OF_ONE_PHOTOGRAPH = json.dumps(
    {"must": [{"key": "metadata.label", "match": {"value": PHOTOGRAPH}}]}
)


def open_map(explored: Explored, **params: str) -> Locator:
    """The canvas, once all is drawn and can be pointed at."""
    explored.open("map", **params)
    return drawn(explored)


def drawn(explored: Explored) -> Locator:
    canvas = explored.page.locator("canvas[data-drawn=all]")
    expect(canvas).to_be_visible()
    expect(explored.page.locator("svg[aria-hidden][class*=overlay]")).to_be_attached()
    return canvas


def drag_around_everything(explored: Explored, canvas: Locator) -> None:
    box = canvas.bounding_box()
    assert box is not None
    mouse = explored.page.mouse
    left, top = box["x"] + 4, box["y"] + 4
    right, bottom = box["x"] + box["width"] - 4, box["y"] + box["height"] - 4
    # Past the tools and the legend, which lie above the map.
    middle = (left + right) / 2
    mouse.move(middle, top)
    mouse.down()
    for x, y in [(left, top), (left, bottom), (right, bottom), (right, top), (middle, top)]:
        mouse.move(x, y, steps=4)
    mouse.up()


def selected_text(explored: Explored) -> Locator:
    return explored.page.get_by_role("region", name="Selected on the map").get_by_role("heading")


def images(explored: Explored) -> int:
    with Lookalike(explored.url) as client:
        return client.collection(COLLECTION).describe().points


def test_the_map_shows_all_images_and_says_so_in_words(explored: Explored) -> None:
    canvas = open_map(explored, color="clusters.kmeans")  # other tests may have made newer ones
    count = images(explored)
    expect(canvas).to_have_attribute("data-images", str(count))
    expect(canvas).to_have_attribute(
        "aria-label", re.compile(rf"PCA map of {count} images, coloured by Clusters: kmeans: ")
    )
    legend = explored.page.get_by_role("region", name="Legend")
    assert legend.get_by_role("listitem").count() == 12


def test_pointing_at_an_image_shows_it_and_its_like_and_a_click_opens_it(
    explored: Explored,
) -> None:
    open_map(explored)
    explored.page.keyboard.press("o")  # the image in the middle
    panel = explored.page.get_by_role("complementary", name="Image details")
    expect(panel).to_be_visible()
    ring = explored.page.locator("circle[class*=openRing]")
    expect(ring).to_be_attached()
    explored.page.wait_for_timeout(1_000)  # the panel makes the map narrower, and that fits anew
    box = ring.bounding_box()
    assert box is not None
    at = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    explored.page.mouse.move(*at)
    card = explored.page.locator("[class*=card]").filter(has=explored.page.locator("strong"))
    expect(card).to_contain_text("Rings: the 8 images most like it.")
    shown = card.locator("strong").inner_text()
    explored.page.mouse.click(*at)
    explored.page.wait_for_function(
        "id => new URLSearchParams(location.search).get('image') === id", arg=shown
    )
    expect(panel).to_contain_text(shown)


def test_what_the_lasso_surrounds_is_selected_in_all_rooms(explored: Explored) -> None:
    canvas = open_map(explored)
    explored.page.keyboard.press("l")
    drag_around_everything(explored, canvas)
    count = images(explored)
    expect(selected_text(explored)).to_have_text(f"{count} selected")
    explored.page.get_by_role("link", name="Search").click()
    expect(explored.page.get_by_role("button", name=f"{count} selected")).to_be_visible()


def test_the_lasso_takes_only_what_the_filter_shows(explored: Explored) -> None:
    canvas = open_map(explored, filter=OF_ONE_PHOTOGRAPH)
    expect(explored.page.get_by_text(f"9 of {images(explored)} images match")).to_be_visible()
    explored.page.keyboard.press("l")
    drag_around_everything(explored, canvas)
    expect(selected_text(explored)).to_have_text("9 selected")
    ids = json.loads(explored.param("sel") or "[]")
    assert {id.split("/")[0] for id in ids} == {PHOTOGRAPH}


def test_a_group_of_the_legend_is_lit_up_selected_and_filtered_to(explored: Explored) -> None:
    open_map(explored, color="metadata.label")
    legend = explored.page.get_by_role("region", name="Legend")
    legend.get_by_role("button", name=re.compile("Show all")).click()
    row = legend.get_by_role("button", name=re.compile(f"^{PHOTOGRAPH}"))
    row.click()
    expect(row).to_have_attribute("aria-pressed", "true")
    assert explored.param("only") == PHOTOGRAPH
    legend.get_by_role("button", name=f"Select {PHOTOGRAPH}").click()
    expect(selected_text(explored)).to_have_text("9 selected")
    legend.get_by_role("button", name=f"Filter to {PHOTOGRAPH}").click()
    expect(explored.page.get_by_role("group", name="Filter")).to_contain_text(
        f"label is {PHOTOGRAPH}"
    )


def test_a_view_is_a_link_and_keys_move_it(explored: Explored) -> None:
    open_map(explored)
    explored.page.keyboard.press("+")
    explored.page.keyboard.press("ArrowRight")
    explored.page.wait_for_url(re.compile("at="))
    view = explored.param("at")
    explored.page.reload()
    drawn(explored)
    assert explored.param("at") == view
    explored.page.keyboard.press("0")
    explored.page.wait_for_function("() => !location.search.includes('at=')")


def test_zooming_reveals_thumbnails(explored: Explored) -> None:
    open_map(explored)
    thumbs = explored.page.locator("[class*=pin] img")
    expect(thumbs.first).to_be_visible()
    explored.page.keyboard.press("t")
    expect(thumbs).to_have_count(0)


def test_a_map_is_made_watched_and_looked_at(explored: Explored) -> None:
    open_map(explored)
    explored.page.keyboard.press("n")
    dialog = explored.page.get_by_role("dialog", name="Make a map")
    dialog.get_by_label("Method").select_option("pacmap")
    expect(dialog).to_contain_text("Keeps neighbours together and the large structure too.")
    neighbours = dialog.get_by_label("Neighbours")
    neighbours.fill("x")
    expect(dialog).to_contain_text("A whole number from 2 to 200.")
    neighbours.fill("8")
    dialog.get_by_label("Name").fill("mine")
    dialog.get_by_role("button", name="Make it").click()
    chooser = explored.page.get_by_label("Map", exact=True)
    expect(chooser.locator("option[value=mine]")).to_be_attached(timeout=60_000)
    chooser.select_option("mine")
    expect(explored.page.locator("canvas[data-drawn=all]")).to_have_attribute(
        "aria-label", re.compile("PaCMAP map")
    )
    explored.page.get_by_role("button", name="How far to trust this map").click()
    told = explored.page.get_by_role("dialog", name="How far to trust this map")
    expect(told).to_contain_text("Of the 15 images most like one,")
    told.get_by_role("button", name="Delete this map").click()
    expect(chooser.locator("option[value=mine]")).to_have_count(0)


def test_selected_images_are_tagged(explored: Explored) -> None:
    open_map(explored, color="metadata.label", only="brick", sel=json.dumps(["brick/0-0.jpg"]))
    tray = explored.page.get_by_role("region", name="Selected on the map")
    tray.get_by_role("button", name="Tag").click()
    dialog = explored.page.get_by_role("dialog", name="Tag 1 images")
    dialog.get_by_label("Field").fill("checked")
    dialog.get_by_label("Value").fill("true")
    dialog.get_by_role("button", name="Tag them").click()
    expect(dialog).to_be_hidden()
    with Lookalike(explored.url) as client:
        image = client.collection(COLLECTION).image("brick/0-0.jpg")
        assert image.metadata["checked"] is True
        client.collection(COLLECTION).update("brick/0-0.jpg", {"checked": None})


def test_a_colour_that_no_image_has_says_so_and_offers_another(explored: Explored) -> None:
    explored.forgiven = "metadata.nothing"  # the browser tells of every answer that is an error
    explored.open("map", color="metadata.nothing")
    expect(explored.page.get_by_role("alert")).to_contain_text("metadata.nothing")
    explored.page.get_by_role("button", name="Show it in one colour").click()
    expect(explored.page.locator("canvas[data-drawn=all]")).to_be_visible()
