"""The page's own tests pass, and building it again gives the same bytes."""

from __future__ import annotations

import filecmp
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
EXPLORER = ROOT / "clients" / "explorer"
UI = ROOT / "service" / "lookalike_service" / "ui"


def npm(*arguments: str, **environment: str) -> str:
    """What an npm script prints; skips where it cannot be run."""
    program = shutil.which("npm")
    if program is None:
        pytest.skip("npm is not installed")
    if not (EXPLORER / "node_modules").is_dir():
        pytest.skip("the page's packages are not installed: make explorer")
    ran = subprocess.run(
        [program, "run", "--silent", *arguments],
        cwd=EXPLORER,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_the_logic_passes_its_tests() -> None:
    assert "passed" in npm("test")


def test_building_again_gives_the_packed_page(tmp_path: Path) -> None:
    npm("build", EXPLORER_OUT=str(tmp_path))
    names = {path.relative_to(UI).as_posix() for path in UI.rglob("*") if path.is_file()}
    again = {
        path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()
    }
    assert again == names
    _, different, unreadable = filecmp.cmpfiles(UI, tmp_path, names, shallow=False)
    assert (different, unreadable) == ([], [])
