"""`bentoml build` packs all that the service is: the bento serves where the project is not installed."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import httpx
import pytest

from examples.demo.server import live_service
from tests.pictures import jpeg

ROOT = Path(__file__).parents[2]
BENTOML = (sys.executable, "-m", "bentoml")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where BentoML keeps what it builds."""
    return tmp_path_factory.mktemp("bentoml")


def bentoml_build(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*BENTOML, "build", *arguments],
        cwd=ROOT,
        env=os.environ | {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "True"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def python_without_the_project(folder: Path) -> Path:
    """An interpreter with every package of this one but the project's own."""
    venv.create(folder, with_pip=False, symlinks=True)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(folder)}))
    for package in Path(sysconfig.get_path("purelib")).iterdir():
        # Its distribution's metadata, and the .pth file of an editable install.
        if "lookalike" not in package.name:
            (packages / package.name).symlink_to(package)
    return folder / "bin" / "python"


def test_a_bento_serves_with_the_package_uninstalled(home: Path, tmp_path: Path) -> None:
    built = bentoml_build(home, "service", "-f", "bentofile.yaml")
    assert built.returncode == 0, built.stderr
    (bento,) = (path for path in (home / "bentos" / "lookalike").iterdir() if path.is_dir())
    python = python_without_the_project(tmp_path / "venv")
    for package in ("lookalike_service", "lookalike_indexer", "lookalike"):
        looked_for = subprocess.run(
            [python, "-c", f"import {package}"], capture_output=True, check=False
        )
        assert b"ModuleNotFoundError" in looked_for.stderr, package
    serve = (python, "-P", "-m", "bentoml", "serve", bento, "--host", "127.0.0.1", "--port")
    command = [*map(str, serve), "{port}"]
    with live_service(tmp_path / "data", tmp_path / "log", command) as started:
        headers = {"content-type": "image/jpeg"}
        answer = httpx.post(f"{started.url}/v1/embed", content=jpeg(), headers=headers)
        page = httpx.get(started.url, follow_redirects=True)
    assert answer.status_code == 200, answer.text
    assert answer.json()["dim"] == len(answer.json()["items"][0]["embedding"]) == 1280
    assert answer.headers["x-request-id"]
    assert page.headers["content-type"].startswith("text/html")


def test_a_build_in_the_wrong_folder_fails_instead_of_packing_no_code(home: Path) -> None:
    built = bentoml_build(home)
    assert built.returncode != 0
    assert "lookalike_service/BENTO.md not found" in built.stdout + built.stderr
