"""The page's map with many images: from a link to all points drawn, and frames a second while it is moved.

The service is one that answers with images that are not there, so that the page alone is measured; the
drawing is Chromium's by the CPU.
"""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa

from lookalike_service.api.page import POLICY, UI

MANY, SOME = 1_000_000, 100_000
GROUPS = 60
SECONDS = 4
ROWS = 8_192
FLAGS = [
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
]
_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}

# Turns and pans the map in every frame as a wheel and a pointer would, and counts the frames.
_DRIVE = """
async (seconds) => {
  const canvas = document.querySelector("canvas");
  const { left, top } = canvas.getBoundingClientRect();
  const at = (turn) => ({
    clientX: left + 600 + 160 * Math.cos(turn),
    clientY: top + 350 + 160 * Math.sin(turn),
    bubbles: true,
  });
  const send = (how, turn) => canvas.dispatchEvent(new PointerEvent(how, { ...at(turn), pointerId: 1 }));
  canvas.setPointerCapture = () => {};
  const frames = [];
  await new Promise((done) => {
    const frame = (now) => {
      frames.push(now);
      const turn = (now - frames[0]) / 400;
      if (frames.length === 1) send("pointerdown", turn);
      if (now - frames[0] > 1000 * seconds) return done();
      send("pointermove", turn);
      const deltaY = 12 * Math.sin(turn);
      canvas.dispatchEvent(new WheelEvent("wheel", { ...at(turn), deltaY, cancelable: true }));
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
  send("pointerup", 0);
  const steps = frames.slice(1).map((at, i) => at - frames[i]);
  steps.sort((a, b) => a - b);
  return [1000 * steps.length / (frames.at(-1) - frames[0]), steps[Math.floor(0.95 * steps.length)]];
}
"""


def run() -> dict[str, float]:
    """Raises ImportError without playwright, RuntimeError without Chromium."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise RuntimeError("Chromium is not installed.")
    figures: dict[str, float] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        for count in (SOME, MANY):
            figures |= {
                f"{name}_{count}": value for name, value in _measure(browser, count).items()
            }
        browser.close()
    return figures


def _measure(browser: Any, count: int) -> dict[str, float]:
    arrow = _stream(count)
    with _served(count, arrow) as url:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(f"{url}/?c=many&room=search")
        page.get_by_role("link", name="Map").wait_for()
        page.evaluate("performance.mark('asked')")
        page.get_by_role("link", name="Map").click()
        page.locator(f'canvas[data-images="{count}"][data-drawn="all"]').wait_for(timeout=60_000)
        loaded = page.evaluate(
            "performance.now() - performance.getEntriesByName('asked')[0].startTime"
        )
        page.wait_for_timeout(3_000)  # the index of places
        rate, slow = page.evaluate(_DRIVE, SECONDS)
        page.close()
    return {
        "arrow, MB": len(arrow) / 1e6,
        "from a click to all points drawn, s (target < 5)": loaded / 1000,
        "frames a second while moving (target >= 30)": rate,
        "95 % of frames within, ms": slow,
    }


def _stream(count: int) -> bytes:
    """A map as the service sends it, with a clustering's labels."""
    random = np.random.default_rng(0)
    group = random.integers(0, GROUPS, count)
    middle = random.uniform(-10, 10, (GROUPS, 2))
    places = (middle[group] + random.normal(0, 0.6, (count, 2))).astype(np.float32)
    table = pa.table(
        {
            "id": [f"folder-{i % 997:03d}/picture-{i:07d}.jpg" for i in range(count)],
            "x": places[:, 0],
            "y": places[:, 1],
            "distortion": random.random(count, dtype=np.float32),
            "later": np.zeros(count, dtype=bool),
            "clusters.kmeans": group,
        }
    )
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=ROWS)
    return sink.getvalue()


def _answers(count: int) -> dict[str, Any]:
    collection = {
        "name": "many", "model": "none", "space": "none", "dim": 8, "distance": "cosine", "points": count,
        "indexes": {}, "fields": {}, "created_at": "2026-01-01T00:00:00+00:00",
    }  # fmt: skip
    projection = {
        "name": "umap", "method": "umap", "dimensions": 2, "parameters": {}, "filter": None, "seed": 0,
        "space": "none", "points": count, "diagnostics": {}, "created_at": "2026-01-01T00:00:00+00:00",
        "seconds": 1.0,
    }  # fmt: skip
    clusters = [{"label": label, "size": count // GROUPS, "name": None} for label in range(GROUPS)]
    clustering = {"name": "kmeans", "clusters": clusters, "created_at": "2026-01-01T00:00:00+00:00"}
    access = {"keys": False, "role": "admin", "collections": None}
    return {
        "/v1/info": {"version": "0", "model": "none", "access": access},
        "/v1/models": {"models": []},
        "/v1/jobs": {"jobs": []},
        "/v1/collections": {"collections": [collection]},
        "/v1/collections/many": collection,
        "/v1/collections/many/images": {"images": [], "cursor": None},
        "/v1/collections/many/projections": {"projections": [projection]},
        "/v1/collections/many/clusterings": {"clusterings": [clustering]},
    }


@contextmanager
def _served(count: int, arrow: bytes) -> Iterator[str]:
    answers = _answers(count)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            if path == "/v1/collections/many/projections/umap":
                self._send(200, "application/vnd.apache.arrow.stream", arrow)
            elif path in answers:
                self._send(200, "application/json", json.dumps(answers[path]).encode())
            else:
                file = UI / ("index.html" if path == "/" else path[1:])
                found = file.is_file() and file.suffix in _TYPES
                body = file.read_bytes() if found else b"{}"
                self._send(200 if found else 404, _TYPES.get(file.suffix, "text/plain"), body)

        def _send(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Content-Security-Policy", POLICY)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
