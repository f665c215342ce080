"""The page's own tests pass, and building it again gives the same bytes."""

from __future__ import annotations

import filecmp
from functools import partial
from pathlib import Path

from tests.npm import run_script

UI = Path(__file__).parents[3] / "service" / "lookalike_service" / "ui"
npm = partial(run_script, "explorer", install="make explorer")


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
