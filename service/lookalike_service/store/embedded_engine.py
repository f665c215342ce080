"""The embedded engine as the service sees it: several engine processes behind one `Engine`.

The binding answers one call at a time and holds Python's lock throughout, also while it builds a
graph, which takes minutes. So documents have a process of their own, small collections share one,
and each collection with a graph has its own; the graph is built by a further process on a copy
(`graph_builder`), and the process that then loads it takes over between two calls.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from lookalike_service.errors import Conflict, StoreUnavailable, UnknownCollection
from lookalike_service.store.disk_room import require_room
from lookalike_service.store.documents import SYSTEM
from lookalike_service.store.filters import HasId, Where
from lookalike_service.store.folder_lock import lock
from lookalike_service.store.generations import Generations
from lookalike_service.store.layout_version import check_version
from lookalike_service.store.options import EmbeddedOptions
from lookalike_service.store.process import EngineProcess
from lookalike_service.store.protocol import Stats

LABELS = "labels.db"
_WRITES = frozenset({"upsert", "delete", "set_payload", "delete_payload", "create_index", "create"})
_ID_PAGE = 1000


@dataclass
class _Writes:
    """Who writes to a collection waits here; what is written while a graph is built is noted."""

    gate: threading.Lock = field(default_factory=threading.Lock)
    touched: set[str] | None = None


class EmbeddedEngine:
    """Implements `Engine` over a data folder. Thread-safe. Raises StoreLocked if it is in use.

    Methods that are not here are those of `EdgeEngine`, called in the process that has the
    collection.
    """

    def __init__(self, folder: Path, options: EmbeddedOptions) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._lock_fd = lock(folder)
        try:
            check_version(folder)
        except Conflict:
            os.close(self._lock_fd)
            raise
        self.options = options
        self.generations = Generations(folder / "indexed")
        self._shared = self.process(folder / "collections")
        self._documents = self.process(folder / "documents")
        self._paths = self.generations.opened()
        self._own = {name: self.process(path) for name, path in self._paths.items()}
        for name in self._own:  # a crash right after it got its own
            shutil.rmtree(folder / "collections" / name, ignore_errors=True)
        self._writes: dict[str, _Writes] = {}
        self._building: set[str] = set()
        self.written = dict.fromkeys(self._names(), time.monotonic())
        self.held: set[str] = set()
        self._closed = False

    def process(self, folder: Path, *, background: bool = False) -> EngineProcess:
        """A process over a folder of shards; in the background without a claim to the data folder."""
        return EngineProcess(
            folder,
            self._folder / LABELS,
            replace(self.options, durable=self.options.durable and not background),
            lock_fd=None if background else self._lock_fd,
            background=background,
        )

    def processes(self) -> list[EngineProcess]:
        """All that answer calls."""
        return [self._documents, self._shared, *self._own.values()]

    def __getattr__(self, method: str) -> Any:
        if method.startswith("_"):
            raise AttributeError(method)
        return partial(self._write if method in _WRITES else self.read, method)

    def ping(self) -> None:
        """See `Engine`."""
        for process in (self._documents, self._shared):
            process.ping()

    def flush(self) -> None:
        """Put on disk all that was acknowledged."""
        for process in self.processes():
            process.flush()

    def close(self) -> None:
        """See `Engine`. Safe to repeat."""
        if not self._closed:
            self._closed = True
            for process in self.processes():
                process.close()
            os.close(self._lock_fd)

    # -- calls

    def read(self, method: str, name: str, *arguments: Any, **keywords: Any) -> Any:
        """Call the process that has the collection; again if another took over meanwhile."""
        while True:
            process = self._of(name)
            try:
                return getattr(process, method)(name, *arguments, **keywords)
            except (UnknownCollection, StoreUnavailable):
                if self._of(name) is process:
                    raise

    def _write(self, method: str, name: str, *arguments: Any, **keywords: Any) -> Any:
        self.require_room()
        writes = self._writes_of(name)
        with writes.gate:
            process = self._of(name)
            touched: Iterable[str] = ()
            if writes.touched is not None and method not in {"create", "create_index"}:
                touched = _touched(process, name, arguments[0])
            try:
                return getattr(process, method)(name, *arguments, **keywords)
            finally:
                if writes.touched is not None:
                    writes.touched.update(touched)
                if name != SYSTEM:
                    self.written[name] = time.monotonic()

    def require_room(self, wanted: int = 0) -> None:
        """Raise StoreUnavailable unless that many bytes can be written."""
        require_room(self._folder, wanted)

    def drop(self, name: str) -> None:
        """See `Engine`. A build that is under way ends with nothing."""
        writes = self._writes_of(name)
        with writes.gate:
            writes.touched = None
            self._retire(self._own.pop(name, None), name)
            self._shared.drop(name)
            self.written.pop(name, None)

    def stats(self, name: str) -> Stats:
        """See `Engine`."""
        found: Stats = self.read("stats", name)
        return replace(found, building=name in self._building)

    def hold_index(self, name: str, held: bool) -> None:
        """See `Engine`."""
        (self.held.add if held else self.held.discard)(name)

    # -- taking over

    @contextmanager
    def noting_writes(self, name: str) -> Iterator[Callable[[], set[str] | None]]:
        """While inside, a call gives the ids written since the last; None once it was dropped."""
        writes = self._writes_of(name)
        with writes.gate:
            writes.touched = set()
        self._building.add(name)

        def taken() -> set[str] | None:
            with writes.gate:
                touched = writes.touched
                if touched is not None:
                    writes.touched = set()
                return touched

        try:
            yield taken
        finally:
            self._building.discard(name)
            with writes.gate:
                writes.touched = None

    def take_over(
        self, name: str, path: Path, successor: EngineProcess, last: Callable[[set[str]], None]
    ) -> bool:
        """Let a process answer for the collection, once `last` has brought over the last writes.

        False if the collection was dropped meanwhile.
        """
        writes = self._writes_of(name)
        with writes.gate:
            if writes.touched is None:
                return False
            last(writes.touched)
            self.generations.serve(path)
            former, self._own[name] = self._own.get(name), successor
            former_path, self._paths[name] = self._paths.get(name), path
        if former is None or former_path is None:
            self._shared.drop(name)
        else:
            former.close()
            self.generations.remove(former_path)
        return True

    def _retire(self, process: EngineProcess | None, name: str) -> None:
        if process is not None:
            process.close()
            self.generations.remove(self._paths.pop(name))

    def _of(self, name: str) -> EngineProcess:
        return self._documents if name == SYSTEM else self._own.get(name, self._shared)

    def _writes_of(self, name: str) -> _Writes:
        return self._writes.setdefault(name, _Writes())

    def _names(self) -> list[str]:
        folder = self._folder / "collections"
        shared = [path.name for path in folder.iterdir()] if folder.is_dir() else []
        return [*self._own, *(name for name in shared if not name.startswith("."))]


def _touched(process: EngineProcess, name: str, which: Any) -> Iterable[str]:
    """The ids that a write names, or that match its filter before it changes them."""
    match which:
        case Where(must=(HasId(ids),), should=(), must_not=(), min_should=()):
            return ids
        case Where():
            return _matching(process, name, which)
    return list(which)


def _matching(process: EngineProcess, name: str, where: Where) -> Iterator[str]:
    start: str | None = None
    while True:
        ids, start = process.ids(name, where, limit=_ID_PAGE, start=start)
        yield from ids
        if start is None:
            return
