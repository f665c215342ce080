"""The data folder of the embedded store, the cache, and the folder of originals."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import psutil

from lookalike_service.doctor.finding import Finding, Surroundings, ok, problem, skipped, warning
from lookalike_service.store.layout_version import FILE, FORMAT

_GIB = 2**30
_LITTLE_ROOM = 2 * _GIB
_NO_ROOM = _GIB // 8


def folder(surroundings: Surroundings) -> Iterator[Finding]:
    """Whether the store's folder can be written, and how much fits into it."""
    path = _path(surroundings)
    if path is None:
        yield skipped("data folder", "the points are on a Qdrant server")
        return
    nearest = next(
        parent for parent in (path.absolute(), *path.absolute().parents) if parent.exists()
    )
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        todo = (
            f"chown or chmod it for user {os.geteuid()}, or choose another (--data, LOOKALIKE_DATA)"
        )
        yield problem("data folder", f"{path} cannot be written: {nearest}", todo)
        return
    free = shutil.disk_usage(nearest).free
    what = f"{path}, {free / _GIB:.1f} GiB free" + ("" if path.exists() else " (not made yet)")
    todo = "make room, or move the folder while the service is stopped"
    if free < _NO_ROOM:
        yield problem("data folder", f"{what}: nothing can be written any more", todo)
    elif free < _LITTLE_ROOM:
        yield warning("data folder", what, todo)
    else:
        yield ok("data folder", what)


def lock(surroundings: Surroundings) -> Iterator[Finding]:
    """Who has the folder: one process at a time may."""
    path = _path(surroundings)
    if path is None or not (path / "lock").exists():
        yield ok("lock", "no process has the data folder")
        return
    try:
        with (path / "lock").open("rb") as file:
            owner = file.read(32).decode()
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        what = f"{path} is in use by {_described(owner)}"
        if _is_ours(owner):
            yield ok("lock", what)
        else:
            todo = "a second service needs its own folder, or both a Qdrant server"
            yield warning("lock", what, todo)
    except OSError as error:
        yield problem("lock", f"{path / 'lock'}: {error.strerror}", "make it readable")
    else:
        yield ok("lock", "no process has the data folder")


def _is_ours(owner: str) -> bool:
    """Whether it is the service that the rest of the findings are about, as far as one can see."""
    try:
        return "serve" in psutil.Process(int(owner)).cmdline()
    except (ValueError, psutil.Error):
        return False


def _described(owner: str) -> str:
    try:
        return f"process {owner} ({' '.join(psutil.Process(int(owner)).cmdline())[:80]})"
    except (ValueError, psutil.Error):
        return f"process {owner or 'unknown'}, which cannot be seen from here"


def version(surroundings: Surroundings) -> Iterator[Finding]:
    """Whether this version can open what the folder holds."""
    path = _path(surroundings)
    if path is None or not (path / FILE).is_file():
        yield skipped("data format", "there is no store yet")
        return
    ours = {"format": FORMAT, "engine": f"qdrant-edge-py {metadata.version('qdrant-edge-py')}"}
    try:
        theirs = json.loads((path / FILE).read_text())
    except (OSError, ValueError) as error:
        todo = "restore the folder from a backup"
        yield problem("data format", f"{path / FILE} cannot be read: {error}", todo)
        return
    if theirs == ours:
        yield ok("data format", f"{ours['format']}, {ours['engine']}")
    else:
        todo = "back it up with the version that wrote it, and restore it with this one (lookalike store)"
        yield problem("data format", f"written as {theirs}; this version reads {ours}", todo)


def leftovers(surroundings: Surroundings) -> Iterator[Finding]:
    """What crashes left: the next start removes half-built graphs, nobody removes half-written files."""
    path = _path(surroundings)
    if path is None or not path.is_dir():
        yield skipped("leftovers", "there is no data folder")
        return
    found = [*path.glob("**/temp_segments/*"), *path.glob("*.new"), *path.glob("**/.*.part")]
    if found:
        names = ", ".join(str(one.relative_to(path)) for one in found[:3])
        todo = "stop the service and start it again; what is still there then may be deleted"
        yield warning("leftovers", f"{len(found)} from writes that did not end: {names}", todo)
    else:
        yield ok("leftovers", "none")


def cache(surroundings: Surroundings) -> Iterator[Finding]:
    """The folder of measured plans."""
    settings = surroundings.settings
    if settings is None:
        yield skipped("cache", "no settings to look at")
        return
    path = settings.cache.absolute()
    nearest = next(parent for parent in (path, *path.parents) if parent.exists())
    if not os.access(nearest, os.W_OK | os.X_OK):
        todo = "make it writable, or set LOOKALIKE_CACHE: else every start measures again"
        yield warning("cache", f"{path} cannot be written", todo)
        return
    plans = len(list(path.glob("**/*.json")))
    yield ok("cache", f"{path}, {plans} plans" if plans else f"{path}; the first start measures")


def originals(surroundings: Surroundings) -> Iterator[Finding]:
    """The folder of the pictures in full, where one is named."""
    path = None if surroundings.settings is None else surroundings.settings.originals
    if path is None:
        yield skipped("originals", "no folder of them is named")
    # The point: what is no folder has none.
    elif os.access(path / ".", os.R_OK | os.X_OK):
        yield ok("originals", f"in {path}")
    else:
        todo = "mount it or make it readable, or correct LOOKALIKE_ORIGINALS: without, thumbnails are read"
        yield problem("originals", f"{path} is no folder that can be read", todo)


def _path(surroundings: Surroundings) -> Path | None:
    settings = surroundings.settings
    return None if settings is None or settings.qdrant_url is not None else settings.data
