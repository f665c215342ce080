"""Where graphs live on disk: `indexed/<collection>@<number>`, one folder per build.

A build counts once its marker is there; whatever has none when the store is opened was left by a
crash in the middle, and goes. The highest number with a marker answers.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

_MARKER = "@serving"  # not a name that a collection can have


class Generations:
    """The builds in a folder that nobody else writes to."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def opened(self) -> dict[str, Path]:
        """The build that answers for each collection; all others are removed."""
        serving: dict[str, Path] = {}
        for path in sorted(self._folder.glob("*@*"), key=_number):
            if (path / _MARKER).exists():
                if (older := serving.get(_name(path))) is not None:
                    self.remove(older)
                serving[_name(path)] = path
            else:
                shutil.rmtree(path)
        return serving

    def begin(self, name: str) -> Path:
        """An empty folder for the next build of a collection."""
        numbers = [_number(path) for path in self._folder.glob("*@*") if _name(path) == name]
        path = self._folder / f"{name}@{max(numbers, default=0) + 1}"
        path.mkdir()
        return path

    def serve(self, path: Path) -> None:
        """From now on this build answers; on disk when this returns."""
        (path / _MARKER).touch()
        for written in (path / _MARKER, path, self._folder):
            fd = os.open(written, os.O_RDONLY)
            os.fsync(fd)
            os.close(fd)

    def remove(self, path: Path) -> None:
        """Delete a build that no process has open."""
        (path / _MARKER).unlink(missing_ok=True)
        shutil.rmtree(path)


def _name(path: Path) -> str:
    return path.name.rpartition("@")[0]


def _number(path: Path) -> int:
    return int(path.name.rpartition("@")[2])
