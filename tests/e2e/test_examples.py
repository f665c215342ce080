"""The example apps, started as their READMEs say, with a service beside them."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from examples.demo.server import LiveService, free_port
from tests.pictures import broken, encoded, photograph

EXAMPLES = Path(__file__).parents[2] / "examples"
NOBODY = "http://127.0.0.1:9"


@contextlib.contextmanager
def started(*command: str, log: Path, service: str, **environment: str) -> Iterator[httpx.Client]:
    """The app on a free port, with the service at `service`."""
    port = free_port()
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command, "--port", str(port)],
            env=os.environ | environment | {"LOOKALIKE_URL": service},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
            _wait(http, process, log)
            yield http
    finally:
        process.terminate()
        process.wait(30)


def _wait(http: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        if process.poll() is not None:
            break
        with contextlib.suppress(httpx.TransportError):
            http.get("/healthz").raise_for_status()
            return
        time.sleep(0.1)
    raise RuntimeError(f"the app did not start:\n{log.read_text()[-4000:]}")


def shop(folder: Path, service: str) -> contextlib.AbstractContextManager[httpx.Client]:
    return started(
        "uvicorn",
        "--app-dir",
        str(EXAMPLES / "shop"),
        "app:app",
        log=folder / "shop.log",
        service=service,
        SHOP_DATA=str(folder / "products"),
        SHOP_COLLECTION=f"shop-{os.getpid()}",
    )


def photos(folder: Path, service: str) -> contextlib.AbstractContextManager[httpx.Client]:
    return started(
        "flask",
        "--app",
        str(EXAMPLES / "photos" / "app.py"),
        "run",
        log=folder / "photos.log",
        service=service,
        PHOTOS_DATA=str(folder / "originals"),
        PHOTOS_COLLECTION=f"photos-{os.getpid()}",
    )


def tiles() -> dict[str, bytes]:
    """Halves of two photographs, as files."""
    found = {}
    for name in ("chelsea", "coffee"):
        pixels = photograph(name)
        middle = pixels.shape[1] // 2
        found[f"{name} left"] = encoded(pixels[:, : middle + 40], "jpeg", quality=90)
        found[f"{name} right"] = encoded(pixels[:, middle - 40 :], "jpeg", quality=90)
    return found


def test_the_shop_shows_similar_products_and_goes_on_without_the_service(
    shared_service: LiveService, tmp_path: Path
) -> None:
    pages: dict[str, str] = {}
    with shop(tmp_path, shared_service.url) as http:
        for name, picture in tiles().items():
            form = {"name": f"<b>{name}", "cents": "1250"}
            sold = http.post("/products", data=form, files={"picture": picture})
            assert sold.status_code == 303
            pages[name] = sold.headers["location"]
        page = http.get(pages["coffee left"]).text
        box = page.partition('id="similar"')[2]
        assert re.findall(r'href="(/products/\w+)"', box)[0] == pages["coffee right"]
        assert "&lt;b&gt;coffee right, 12.50" in box
        assert "<b>" not in page
        assert http.get(f"{pages['coffee left']}/picture").content == tiles()["coffee left"]
        refused = http.post(
            "/products",
            data={"name": "broken", "cents": "1"},
            files={"picture": broken()["truncated jpeg"].data},
        )
        assert refused.status_code == 422
        assert http.get("/healthz").json() == {"products": 4}
    with shop(tmp_path, NOBODY) as http:
        assert http.get("/healthz").json() == {"products": 4}
        alone = http.get(pages["coffee left"])
        assert alone.status_code == 200
        assert "Similar products" not in alone.text


def test_the_album_warns_of_near_duplicates_and_shows_similar_photos(
    shared_service: LiveService, tmp_path: Path
) -> None:
    with photos(tmp_path, shared_service.url) as http:
        pages: dict[str, str] = {}
        for name, picture in tiles().items():
            uploaded = http.post("/photos", files={"photo": picture})
            assert uploaded.status_code == 303
            pages[name] = uploaded.headers["location"]
        page = http.get(pages["chelsea left"]).text
        assert "nearly the same" not in page
        assert re.findall(r'href="(/photos/\w+)"', page)[0] == pages["chelsea right"]

        pixels = photograph("chelsea")
        copy = encoded(pixels[:, : pixels.shape[1] // 2 + 40], "jpeg", quality=60)
        warned = http.get(http.post("/photos", files={"photo": copy}).headers["location"]).text
        warning = warned.partition('id="warning"')[2].partition("</p>")[0]
        assert re.findall(r'href="(/photos/\w+)"', warning) == [pages["chelsea left"]]

        again = http.post("/photos", files={"photo": tiles()["chelsea left"]})
        assert again.headers["location"] == pages["chelsea left"]
        assert http.get("/").text.count("<img") == 5
        assert http.post(f"{pages['chelsea left']}/delete").status_code == 303
        assert http.get(pages["chelsea left"]).status_code == 404
        refused = http.post("/photos", files={"photo": broken()["truncated jpeg"].data})
        assert refused.status_code == 422
        assert "The JPEG ends before its data does" in refused.text
        for path in ("/photos/..%2f..%2fphotos.log/file", "/photos/photos.log/file"):
            assert http.get(path).status_code == 404


def test_the_album_says_when_the_service_is_away(tmp_path: Path) -> None:
    with photos(tmp_path, NOBODY) as http:
        assert http.get("/").status_code == 200
        answer = http.post("/photos", files={"photo": tiles()["coffee left"]})
        assert answer.status_code == 503
        assert "is the service running?" in answer.text
        assert not list((tmp_path / "originals").iterdir())


@pytest.mark.parametrize("name", ["shop", "photos"])
def test_the_readme_names_commands_that_exist(name: str) -> None:
    readme = (EXAMPLES / name / "README.md").read_text()
    for path in re.findall(rf"examples/{name}/[\w.-]+", readme):
        assert (EXAMPLES.parent / path).exists(), path
    code = (EXAMPLES / name / "app.py").read_text().splitlines()
    assert len([line for line in code if line.strip()]) < 150
