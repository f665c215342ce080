"""The Search room, driven as people drive it."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Route, expect

from tests.e2e.explorer.conftest import Explored

CUP = "coffee/2-2.jpg"


def hits(explored: Explored) -> Locator:
    return explored.page.get_by_role("list", name="Similar images").get_by_role("listitem")


def hit_ids(explored: Explored) -> list[str]:
    expect(hits(explored).first).to_be_visible()
    return [str(hit.get_attribute("data-image")) for hit in hits(explored).all()]


def photograph(id: str) -> str:
    return id.split("/", maxsplit=1)[0]


def test_a_picture_that_is_chosen_finds_its_like_and_is_there_after_a_reload(
    explored: Explored, tiles: Path
) -> None:
    explored.open("search")
    with explored.page.expect_file_chooser() as chooser:
        explored.page.get_by_role("button", name="Choose a picture").click()
    chooser.value.set_files(tiles / CUP)
    found = hit_ids(explored)
    assert {photograph(id) for id in found[:5]} == {"coffee"}
    explored.page.reload()
    assert hit_ids(explored) == found


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_picture_is_dropped_or_pasted_anywhere(
    explored: Explored, tiles: Path, kind: str
) -> None:
    explored.open("search")
    expect(explored.page.get_by_role("list", name="Images")).to_be_visible()
    content = base64.b64encode((tiles / CUP).read_bytes()).decode()
    explored.page.evaluate(
        """([kind, content]) => {
            const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
            const data = new DataTransfer();
            data.items.add(new File([bytes], "cup.jpg", { type: "image/jpeg" }));
            const event = kind === "drop"
                ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
                : new ClipboardEvent("paste", { clipboardData: data, bubbles: true });
            document.body.dispatchEvent(event);
        }""",
        [kind, content],
    )
    assert photograph(hit_ids(explored)[0]) == "coffee"
    expect(explored.page.get_by_role("img", name="cup.jpg")).to_be_visible()


def test_a_score_says_what_it_means(explored: Explored) -> None:
    explored.open("search", id=CUP)
    first = hits(explored).first
    expect(first).to_contain_text(re.compile(r"0\.\d{3}"))
    expect(first).to_contain_text(re.compile("near duplicate|similar|common here"))
    first.get_by_role("button").first.click()
    panel = explored.page.get_by_role("complementary", name="Image details")
    expect(panel).to_contain_text(re.compile(r"of unrelated images score as high"))


def test_pointing_at_a_hit_shows_why_on_it_and_on_the_query(explored: Explored) -> None:
    explored.open("search", id=CUP)
    expect(hits(explored).first).to_be_visible()
    assert explored.page.locator("canvas").count() == 0
    hits(explored).nth(1).hover()
    expect(hits(explored).nth(1).locator("canvas")).to_be_visible()
    query = explored.page.get_by_role("complementary", name="The search")
    expect(query.locator("canvas")).to_be_visible()
    painted = (
        hits(explored)
        .nth(1)
        .locator("canvas")
        .evaluate(
            "(canvas) => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)"
            ".data.filter((_, i) => i % 4 === 3).some((alpha) => alpha > 120)"
        )
    )
    assert painted


def test_dragging_on_the_picture_searches_by_a_part(explored: Explored) -> None:
    explored.open("search", id=CUP)
    whole = hit_ids(explored)
    box = explored.page.get_by_role("img", name=CUP).bounding_box()
    assert box is not None
    left, top, width, height = box["x"], box["y"], box["width"], box["height"]
    mouse = explored.page.mouse
    mouse.move(left + 0.1 * width, top + 0.1 * height)
    mouse.down()
    mouse.move(left + 0.3 * width, top + 0.4 * height)
    mouse.move(left + 0.6 * width, top + 0.7 * height)
    mouse.up()
    part = explored.page.get_by_role("group", name=re.compile("The part that is searched by"))
    expect(part).to_be_visible()
    region = [int(edge) for edge in str(explored.param("region")).split(",")]
    size = explored.page.request.get(
        f"{explored.url}/v1/collections/pictures/images/coffee%2F2-2.jpg"
    )
    width, height = size.json()["width"], size.json()["height"]
    wanted = [0.1 * width, 0.1 * height, 0.5 * width, 0.6 * height]
    assert region == pytest.approx(wanted, abs=2)
    expect(hits(explored).first).to_be_visible()
    # The scores of a part are others than those of the whole.
    explored.page.wait_for_function(
        "(whole) => document.querySelectorAll('[data-image]').length > 0 && "
        "[...document.querySelectorAll('[data-image]')].map((e) => e.dataset.image).join() !== whole",
        arg=",".join(whole),
    )
    part.focus()
    part.press("Delete")
    expect(part).to_have_count(0)
    assert explored.param("region") is None


def test_the_keyboard_walks_marks_and_searches(explored: Explored) -> None:
    explored.open("search", id=CUP)
    first, second, *_ = hit_ids(explored)
    keyboard = explored.page.keyboard
    keyboard.press("ArrowRight")
    keyboard.press("ArrowRight")
    expect(hits(explored).nth(1).get_by_role("button").first).to_be_focused()
    keyboard.press("x")
    expect(explored.page.get_by_role("button", name="1 selected")).to_be_visible()
    keyboard.press("w")
    expect(explored.page.get_by_role("complementary", name="Image details")).to_be_visible()
    assert explored.param("image") == second
    keyboard.press("Escape")
    assert explored.param("image") is None
    hits(explored).first.get_by_role("button").first.focus()
    keyboard.press("+")
    explored.page.wait_for_url(re.compile("like="))
    assert json.loads(str(explored.param("like"))) == [first]
    # Examples are left out of the hits; the focus stays where it was.
    expect(explored.page.locator(f"main [data-image='{first}']")).to_have_count(0)
    expect(hits(explored).first.get_by_role("button").first).to_be_focused()
    keyboard.press("ArrowRight")
    third = explored.page.evaluate("document.activeElement.closest('[data-image]').dataset.image")
    keyboard.press("-")
    explored.page.wait_for_url(re.compile("unlike="))
    keyboard.press("n")
    expect(explored.page.get_by_role("heading", name="Find what looks like it")).to_be_visible()
    explored.page.go_back()
    assert json.loads(str(explored.param("unlike"))) == [third]


def test_a_filter_is_built_from_the_values_that_there_are(explored: Explored) -> None:
    explored.open("search", id=CUP)
    expect(hits(explored).first).to_be_visible()
    explored.page.keyboard.press("f")
    explored.page.get_by_role("dialog", name="Add a filter").get_by_text("label").click()
    explored.page.get_by_role("checkbox", name="coins").check()
    explored.page.get_by_role("button", name="Done").click()
    expect(hits(explored)).to_have_count(9)
    assert {photograph(id) for id in hit_ids(explored)} == {"coins"}
    explored.page.get_by_role("button", name="Remove: label is coins").click()
    expect(hits(explored)).to_have_count(48)


def test_the_best_of_each_group(explored: Explored) -> None:
    explored.open("search", id=CUP)
    explored.page.get_by_label("Best of each").select_option("metadata.label")
    expect(hits(explored)).to_have_count(18)
    found = hit_ids(explored)
    assert len({photograph(id) for id in found}) == len(found)


def test_the_command_gives_the_same_hits(explored: Explored) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    explored.open("search", id=CUP, group="metadata.label")
    found = hit_ids(explored)
    explored.page.get_by_role("button", name="Show as a command (curl)").click()
    command = explored.page.get_by_label("Command", exact=True).inner_text()
    assert command.startswith("curl ")
    bash = shutil.which("bash") or "sh"
    answer = subprocess.run([bash, "-c", command], capture_output=True, check=True, timeout=60)
    assert [hit["id"] for hit in json.loads(answer.stdout)["hits"]] == found


def test_words_are_sent_as_words_where_the_model_embeds_them(explored: Explored) -> None:
    """The service's default encoder embeds no words, so what it would answer is put in its place."""
    asked = []

    def answered(route: Route) -> None:
        asked.append(route.request.post_data_json)
        route.continue_(post_data=json.dumps({"id": CUP, "limit": 3}))

    def worded(route: Route) -> None:
        models = route.fetch().json()["models"]
        route.fulfill(json={"models": [model | {"text": True} for model in models]})

    explored.page.route("**/v1/models", worded)
    explored.page.route("**/search", answered)
    explored.open("search")
    expect(explored.page.get_by_role("searchbox")).to_be_visible()
    explored.page.keyboard.press("/")
    explored.page.keyboard.type("a cup of coffee")
    explored.page.keyboard.press("Enter")
    expect(hits(explored)).to_have_count(3)
    assert explored.param("text") == "a cup of coffee"
    assert asked == [{"text": "a cup of coffee", "limit": 48}]


def test_where_words_cannot_be_searched_for_the_page_says_why(explored: Explored) -> None:
    explored.open("search")
    expect(explored.page.get_by_text("Words cannot be searched for here")).to_be_visible()
    expect(explored.page.get_by_role("searchbox")).to_have_count(0)
