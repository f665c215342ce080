"""The page that is packed is the build of its sources, small, and asks no other host for anything."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest

CLIENTS = Path(__file__).parents[2] / "clients"
UI = Path(__file__).parents[2] / "service" / "lookalike_service" / "ui"
RECORD = json.loads((UI / "build.json").read_text())
REBUILD = "the page's sources have changed: run `make explorer`"
MOST_BYTES = 600_000
# What names an XML namespace, a licence or an address in a message is never asked for anything.
NAMED_ONLY = re.compile(r"https?://(www\.w3\.org/|127\.0\.0\.1:3000\b)")


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def packed() -> dict[str, Path]:
    files = (path for path in UI.rglob("*") if path.is_file())
    return {path.relative_to(UI).as_posix(): path for path in files}


def test_the_packed_page_is_made_of_todays_sources() -> None:
    now = {
        name: digest(CLIENTS / name) if (CLIENTS / name).is_file() else None
        for name in RECORD["sources"]
    }
    assert now == RECORD["sources"], REBUILD


def test_the_record_covers_the_pages_own_sources() -> None:
    """A file that is in no record is a test, a declaration of types, or dead."""
    folder = CLIENTS / "explorer" / "src"
    recorded = {CLIENTS / name for name in RECORD["sources"]}
    unused = [
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix in {".ts", ".tsx", ".css", ".svg"}
        and path not in recorded
        and not path.name.endswith(".d.ts")
        and not _only_types(path)
    ]
    assert unused == []


def _only_types(path: Path) -> bool:
    """Whether a module has nothing that is left once its types are taken away."""
    return not re.search(
        r"^export (default |async )?(function|const|class|let)", path.read_text(), re.MULTILINE
    )


def test_the_packed_files_are_as_they_were_built() -> None:
    built = {name: digest(path) for name, path in packed().items() if name != "build.json"}
    # What Vite copies from public/ is recorded as a source.
    copied = {path.name for path in (CLIENTS / "explorer" / "public").iterdir()}
    assert {name: found for name, found in built.items() if name not in copied} == RECORD["files"]


def test_all_scripts_together_stay_small() -> None:
    scripts = [path for name, path in packed().items() if name.endswith(".js")]
    assert sum(len(gzip.compress(path.read_bytes())) for path in scripts) <= MOST_BYTES


@pytest.mark.parametrize("kind", [".js", ".css", ".html"])
def test_built_files_name_no_other_host(kind: str) -> None:
    for name, path in packed().items():
        if name.endswith(kind):
            text = NAMED_ONLY.sub("", path.read_text())
            assert re.findall(r"https?://\w[^\s\"'`)<]+", text) == [], name


def test_the_document_has_no_inline_scripts_or_styles() -> None:
    text = (UI / "index.html").read_text()
    assert re.findall(r"<script(?![^>]*\bsrc=)", text) == []
    assert "<style" not in text
    assert " style=" not in text
    assert re.findall(r"\son[a-z]+=", text) == []


def test_licences_of_all_packages_in_it_are_packed() -> None:
    text = (UI / "assets" / "licenses.txt").read_text()
    wanted = json.loads((CLIENTS / "explorer" / "package.json").read_text())["dependencies"]
    assert all(f"{name} {version} (" in text for name, version in wanted.items())


def test_the_lock_file_names_no_registry() -> None:
    text = (CLIENTS / "explorer" / "package-lock.json").read_text()
    assert '"resolved"' not in text
    assert '"integrity"' in text
