"""Whether a data folder is one that this version can open."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

from lookalike_service.errors import Conflict

FORMAT = 1
"""Of the folder; another one is not opened."""
FILE = "format.json"
_DATA = ("collections", "documents", "indexed", "labels.db")


def check_version(folder: Path) -> None:
    """Note the format in a new folder. Raises Conflict if the folder is of another."""
    ours = {"format": FORMAT, "engine": f"qdrant-edge-py {version('qdrant-edge-py')}"}
    path = folder / FILE
    if path.is_file():
        theirs = json.loads(path.read_text())
    elif any((folder / name).exists() for name in _DATA):
        theirs = {"format": 0, "engine": "an older one"}
    else:
        written = folder / f"{FILE}.new"
        written.write_text(json.dumps(ours))
        written.rename(path)
        return
    if theirs != ours:
        raise Conflict(
            f"the store in {folder} was written in format {theirs['format']} with "
            f"{theirs['engine']}; this version reads format {FORMAT} with {ours['engine']}. Back it "
            "up with the version that wrote it (lookalike store backup) and restore it with this one"
        )
