"""The page around the rooms: where one is, what is known, who may come in, and how it looks."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Route, expect

from tests.e2e.explorer.conftest import COLLECTION, Explored

PLACES = [
    ("search", {}),
    ("search", {"id": "coffee/2-2.jpg", "image": "coffee/2-4.jpg"}),
    ("map", {}),
    ("clusters", {}),
    ("compare", {}),
    ("duplicates", {}),
    ("index", {}),
]
SERIOUS = {"serious", "critical"}


def violations(explored: Explored) -> list[str]:
    found: list[dict[str, Any]] = (
        Axe().run(explored.page, options={"resultTypes": ["violations"]}).response["violations"]
    )
    return [
        f"{one['id']}: {one['help']}: {[node['html'][:200] for node in one['nodes']]}"
        for one in found
        if one["impact"] in SERIOUS
    ]


def settled(explored: Explored) -> None:
    """Return when nothing is fetched and nothing moves."""
    explored.page.wait_for_load_state("networkidle")


@pytest.mark.parametrize(("room", "params"), PLACES)
def test_axe_finds_nothing_serious_in_light_or_dark(
    explored: Explored, room: str, params: dict[str, str]
) -> None:
    explored.open(room, **params)
    settled(explored)
    assert violations(explored) == []
    explored.page.emulate_media(color_scheme="dark")
    assert violations(explored) == []


@pytest.mark.parametrize(("room", "params"), PLACES)
def test_nothing_sticks_out_of_a_phones_window(
    explored: Explored, room: str, params: dict[str, str]
) -> None:
    explored.page.set_viewport_size({"width": 360, "height": 740})
    explored.open(room, **params)
    settled(explored)
    too_wide = explored.page.evaluate(
        "[document.documentElement, document.querySelector('main'), ...document.querySelectorAll('aside')]"
        ".filter((box) => box.scrollWidth > box.clientWidth + 1).map((box) => box.outerHTML.slice(0, 200))"
    )
    assert too_wide == []


def test_the_page_opens_on_the_first_collection(explored: Explored) -> None:
    explored.page.goto(explored.url)
    expect(explored.page.get_by_role("button", name=re.compile("^Collection: "))).to_be_visible()
    explored.page.wait_for_url(re.compile(r"\?c=.+&room=search"))


def test_rooms_are_links_and_back_goes_back(explored: Explored) -> None:
    explored.open("search", id="coffee/2-2.jpg")
    explored.page.get_by_role("link", name="Clusters").click()
    explored.page.wait_for_url(re.compile("room=clusters"))
    explored.page.keyboard.press("g")
    explored.page.keyboard.press("s")
    explored.page.wait_for_url(re.compile("room=search"))
    assert explored.param("id") == "coffee/2-2.jpg"  # the room is as it was left
    explored.page.go_back()
    expect(explored.page.get_by_role("link", name="Clusters")).to_have_attribute(
        "aria-current", "page"
    )


def test_a_collection_that_is_none_is_said_to_be_none(explored: Explored) -> None:
    explored.page.goto(f"{explored.url}/?c=nothing&room=search")
    expect(explored.page.get_by_text("There is no collection “nothing”")).to_be_visible()
    explored.page.locator("main").get_by_role("button", name=re.compile(COLLECTION)).click()
    explored.page.wait_for_url(re.compile(f"c={COLLECTION}"))


def test_the_help_lists_the_keys_of_the_room(explored: Explored) -> None:
    explored.open("search", id="coffee/2-2.jpg")
    expect(explored.page.get_by_role("list", name="Similar images")).to_be_visible()
    explored.page.keyboard.press("?")
    dialog = explored.page.get_by_role("dialog", name="Keys")
    for does in ("More like this", "Search by the image", "Go to Map"):
        expect(dialog.get_by_text(does, exact=True)).to_be_visible()
    explored.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_the_theme_that_is_chosen_stays(explored: Explored) -> None:
    explored.open("search")
    scheme = "getComputedStyle(document.documentElement).colorScheme"
    explored.page.get_by_role("button", name="Colours: as the system is set").click()
    assert explored.page.evaluate(scheme) == "light"
    explored.page.get_by_role("button", name="Colours: light").click()
    assert explored.page.evaluate(scheme) == "dark"
    explored.page.reload()
    expect(explored.page.get_by_role("button", name="Colours: dark")).to_be_visible()
    assert explored.page.evaluate(scheme) == "dark"


def guarded(route: Route) -> None:
    """Lets through what bears the right key, as a service with keys does."""
    given = route.request.headers.get("authorization")
    if given == "Bearer sesame":
        route.continue_()
        return
    problem = {
        "type": "about:blank",
        "title": "Unauthorized",
        "status": 401,
        "code": "unauthorized",
        "detail": "This call needs an API key.",
    }
    route.fulfill(status=401, content_type="application/problem+json", body=json.dumps(problem))


def test_a_service_with_keys_is_entered_with_one_that_stays_in_the_tab(explored: Explored) -> None:
    explored.forgiven = "401"
    explored.page.route("**/v1/**", guarded)
    explored.open("search", id="coffee/2-2.jpg")
    dialog = explored.page.get_by_role("dialog", name="API key")
    dialog.get_by_label("Key").fill("wrong")
    dialog.get_by_label("Key").press("Enter")
    expect(dialog.get_by_text("the one before was refused")).to_be_visible()
    dialog.get_by_label("Key").fill("sesame")
    dialog.get_by_role("button", name="Use this key").click()
    expect(dialog).to_have_count(0)
    expect(explored.page.get_by_role("img", name="coffee/2-2.jpg")).to_be_visible()
    # In the session's storage alone, so that it goes with the tab; and never in an address.
    assert explored.page.evaluate("Object.values(sessionStorage).includes('sesame')")
    assert not explored.page.evaluate("Object.values(localStorage).includes('sesame')")
    assert "sesame" not in explored.page.url
    explored.page.reload()
    expect(explored.page.get_by_role("list", name="Similar images")).to_be_visible()


def test_a_reading_key_is_told_what_it_may_not_do(explored: Explored) -> None:
    def read_only(route: Route) -> None:
        answer = route.fetch()
        access = {"access": {"keys": True, "role": "read", "collections": None}}
        route.fulfill(response=answer, json=answer.json() | access)

    explored.page.route("**/v1/info", read_only)
    explored.open("search", image="coffee/2-2.jpg")
    delete = explored.page.get_by_role("button", name="Delete from the collection")
    expect(delete).to_have_attribute("aria-disabled", "true")
    expect(delete).to_have_attribute("title", re.compile('needs a key with the role "write"'))


def test_metadata_are_edited_in_the_panel(explored: Explored) -> None:
    explored.open("search", image="moon/0-0.jpg")
    panel = explored.page.get_by_role("complementary", name="Image details")
    panel.get_by_role("button", name="Edit the metadata").click()
    panel.get_by_label("Name of the field").last.fill("seen")
    panel.get_by_label("Value of seen").fill("true")
    panel.get_by_role("button", name="Save").last.click()
    expect(panel.get_by_role("term").filter(has_text="seen")).to_be_visible()
    answer = explored.page.request.get(
        f"{explored.url}/v1/collections/{COLLECTION}/images/moon%2F0-0.jpg"
    )
    assert answer.json()["metadata"]["seen"] is True
