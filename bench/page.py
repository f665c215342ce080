"""How soon the web page is there: first paint and usable, by a headless Chromium on this machine."""

from __future__ import annotations

import gzip
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from bench.service import service
from examples.demo import pictures
from lookalike import Lookalike
from lookalike_service.api.page import UI

VISITS = 7
PAINTED = """
() => new Promise((resolve) => new PerformanceObserver((list) => {
    const [first] = list.getEntriesByName("first-contentful-paint");
    if (first) resolve(first.startTime / 1000);
}).observe({ type: "paint", buffered: true }))
"""


def run() -> dict[str, float]:
    program = shutil.which("chromium")
    if program is None:
        raise SystemExit("bench page needs Chromium")
    with tempfile.TemporaryDirectory() as folder, service() as (port, _, _):
        pictures.write_tiles(Path(folder))
        url = f"http://127.0.0.1:{port}"
        with Lookalike(url) as client:
            client.collection("tiles").index(Path(folder))
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
            visits = [visit(browser, f"{url}/?c=tiles&room=search") for _ in range(VISITS)]
            browser.close()
    painted, usable = zip(*visits[1:], strict=True)
    scripts = [path.read_bytes() for path in UI.rglob("*.js")]
    return {
        "first paint, s (target < 1)": statistics.median(painted),
        "pictures shown and keys bound, s (target < 2)": statistics.median(usable),
        "all scripts, compressed, kB (target <= 600)": sum(
            len(gzip.compress(script)) for script in scripts
        )
        / 1000,
    }


def visit(browser: Browser, url: str) -> tuple[float, float]:
    """Seconds until the first paint, and until a picture is there and a key does something.

    Nothing is cached: each visit has a context of its own.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    start = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.locator("[data-image] img").first.wait_for()
    page.keyboard.press("?")
    page.get_by_role("dialog").wait_for()
    usable = time.perf_counter() - start
    painted: float = page.evaluate(PAINTED)
    context.close()
    return painted, usable
