"""The page in a headless Chromium, on a real service with real pictures."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from playwright import sync_api

from examples.demo import pictures
from examples.demo.server import LiveService
from lookalike import Lookalike

COLLECTION = "pictures"
# The drawing of WebGL by the CPU, and nothing that asks other hosts on its own.
FLAGS = [
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-component-update",
]
PATIENCE_MS = 20_000
sync_api.expect.set_options(timeout=PATIENCE_MS)  # other tests may keep the machine busy


@dataclass
class Explored:
    """A page on the collection, and what went wrong in it."""

    page: sync_api.Page
    url: str
    complaints: list[str] = field(default_factory=list)
    forgiven: str | None = None
    """What complaints of a test's own making contain."""

    def param(self, name: str) -> str | None:
        """A parameter of the address that the page has now."""
        return dict(parse_qsl(urlsplit(self.page.url).query)).get(name)

    @property
    def address(self) -> str:
        """The query string that the page has now."""
        return urlsplit(self.page.url).query

    def open(self, room: str, **params: str) -> None:
        """Open the page anew, as from a link."""
        query = urlencode({"c": COLLECTION, "room": room} | params)
        self.page.goto(f"{self.url}/?{query}")


@pytest.fixture(scope="session")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine tiles of each of the demo's photographs: `<photograph>/<row>-<column>.jpg`."""
    folder = tmp_path_factory.mktemp("tiles")
    pictures.write_tiles(folder)
    for path in folder.rglob("*.jpg"):
        if not set(path.stem) <= set("024-"):
            path.unlink()
    return folder


@pytest.fixture(scope="session")
def explored_service(shared_service: LiveService, tiles: Path) -> LiveService:
    """The service with the tiles indexed, clustered, on a map and calibrated."""
    with Lookalike(shared_service.url) as client:
        collection = client.collection(COLLECTION)
        report = collection.index(tiles)
        assert report.failed == 0
        jobs = [
            collection.cluster("kmeans", {"k": 12}),
            collection.project("pca"),
            collection.calibrate(),
        ]
        for job in jobs:
            job.wait()
    return shared_service


# Not for the session: playwright's loop would stand in the way of asynchronous tests.
@pytest.fixture(scope="module")
def browser() -> Iterator[sync_api.Browser]:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("Chromium is not installed")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield started
        started.close()


@pytest.fixture
def explored(browser: sync_api.Browser, explored_service: LiveService) -> Iterator[Explored]:
    """A window of 1280 × 800. The test fails if the page complained, or asked another host for anything."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    context.set_default_timeout(PATIENCE_MS)
    explored = Explored(context.new_page(), explored_service.url)
    watch(explored)
    yield explored
    context.close()
    own = explored.forgiven
    assert [text for text in explored.complaints if own is None or own not in text] == []


def watch(explored: Explored) -> None:
    """Note what goes wrong in the page: errors, violations of its policy, requests to other hosts."""
    page, host = explored.page, urlsplit(explored.url).netloc

    def said(message: sync_api.ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            explored.complaints.append(
                f"{message.type}: {message.text} ({message.location['url']})"
            )

    def asked(request: sync_api.Request) -> None:
        if urlsplit(request.url).netloc not in {host, ""}:
            explored.complaints.append(f"another host: {request.url}")

    page.on("pageerror", lambda error: explored.complaints.append(f"error: {error}"))
    page.on("console", said)
    page.on("request", asked)
