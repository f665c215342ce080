"""Building HNSW graphs beside the running engine.

Rejected, with what was seen: letting the engine optimise (every call waits for it, 14 to 180 s
for 100,000 points); a second process on the same shard (its log is locked); copying the shard's
files (they change in place under every write); bounded steps (the binding has none); many small
graphs, never rebuilt (each search pays for each of them).
"""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

import structlog

from lookalike_service.errors import LookalikeError, StoreUnavailable, UnknownCollection
from lookalike_service.store.edge_engine import Layout
from lookalike_service.store.embedded_engine import EmbeddedEngine
from lookalike_service.store.filters import EVERYTHING, Where, has_ids
from lookalike_service.store.process import EngineProcess

_UNINDEXED = 0.2
_SLICE = 64  # points read at a time: about 2 ms that a search may have to wait
_FEW = 256
_ROUNDS = 10
_LOOK_SECONDS = 0.5

log = structlog.get_logger(__name__)


class GraphBuilder:
    """Builds a graph for each collection that needs one, one at a time, from a thread of its own.

    A collection needs one when a fifth of its `index_from` points or more are in none. It is begun
    when nothing was written for `settle` seconds. Stops with `close`.
    """

    def __init__(self, engine: EmbeddedEngine, *, settle: float) -> None:
        self._engine = engine
        self._settle = settle
        self._one = threading.Lock()
        self._closing = threading.Event()
        self._worker: EngineProcess | None = None
        self._thread = threading.Thread(target=self._run, name="graphs", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop; a build under way is given up."""
        self._closing.set()
        if self._worker is not None:
            self._worker.kill()
        self._thread.join()

    def build(self, name: str) -> bool:
        """Build now if any point is in no graph; False if there was no need or it was dropped.

        Searches and writes go on meanwhile. Raises StoreUnavailable if a process dies or the store
        is closed.
        """
        with self._one:
            stats = self._engine.stats(name)
            if stats.points < self._engine.options.index_from or stats.indexed >= stats.points:
                return False
            path = self._engine.generations.begin(name)
            self._worker = self._engine.process(path, background=True)
            successor = self._engine.process(path)
            try:
                if self._closing.is_set():
                    raise StoreUnavailable("the store is closed")
                return self._build(name, path, self._worker, successor)
            except BaseException as error:
                self._worker.kill()
                successor.kill()
                shutil.rmtree(path, ignore_errors=True)
                if isinstance(error, UnknownCollection):
                    return False
                raise

    def _build(
        self, name: str, path: Path, worker: EngineProcess, successor: EngineProcess
    ) -> bool:
        started = time.monotonic()
        with self._engine.noting_writes(name) as written:
            layout: Layout = self._engine.read("layout", name)
            vectors = 4 * layout.dim * self._engine.stats(name).points
            self._engine.require_room(2 * vectors)  # as much again for the graph and payloads
            self._prepare(name, layout, worker)
            self._copy(name, layout, EVERYTHING, worker)
            worker.optimize(name)
            worker.close()
            successor.stats(name)  # load it, while the former still answers
            for _ in range(_ROUNDS):
                some = written()
                if some is None:
                    break
                self._bring(name, layout, some, successor)
                if len(some) <= _FEW:
                    break

            def last(some: set[str]) -> None:
                self._bring(name, layout, some, successor)
                self._prepare(name, self._engine.read("layout", name), successor)
                successor.flush()

            if not self._engine.take_over(name, path, successor, last):
                successor.close()
                shutil.rmtree(path)
                return False
        log.info("graph built", collection=name, seconds=round(time.monotonic() - started, 1))
        return True

    def _prepare(self, name: str, layout: Layout, target: EngineProcess) -> None:
        target.create(name, layout.vector, layout.dim)
        for field, type in layout.indexes.items():
            target.create_index(name, field, type)

    def _copy(self, name: str, layout: Layout, where: Where, target: EngineProcess) -> set[str]:
        """Copy what matches; its ids."""
        copied: set[str] = set()
        start: str | None = None
        while True:
            ids, payloads, rows, start = self._engine.read(
                *("points", name, where),
                vector=layout.vector,
                dim=layout.dim,
                limit=_SLICE,
                start=start,
            )
            if ids:
                target.upsert(name, ids, payloads, layout.vector, rows)
            if where is not EVERYTHING:
                copied.update(ids)
            if start is None:
                return copied

    def _bring(self, name: str, layout: Layout, ids: set[str], target: EngineProcess) -> None:
        """Make these points there what they are here: the same, or gone."""
        pending = sorted(ids)
        for at in range(0, len(pending), _SLICE):
            some = pending[at : at + _SLICE]
            there = self._copy(name, layout, has_ids(some), target)
            if gone := set(some) - there:
                target.delete(name, has_ids(gone))

    # -- by itself

    def _run(self) -> None:
        while not self._closing.wait(_LOOK_SECONDS):
            for name, at in list(self._engine.written.items()):
                if name not in self._engine.held and time.monotonic() - at >= self._settle:
                    self._look(name, at)

    def _look(self, name: str, at: float) -> None:
        try:
            stats = self._engine.stats(name)
            if stats.points - stats.indexed >= _UNINDEXED * max(1, stats.points):
                self.build(name)
        except LookalikeError as error:
            if self._closing.is_set():
                return
            log.warning("no graph was built", collection=name, reason=error.detail)
        if self._engine.written.get(name) == at:
            self._engine.written.pop(name, None)
