"""The store on the embedded engine, in a folder of its own."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from lookalike_service.store.engine import Engine
from lookalike_service.store.point_store import PointStore
from lookalike_service.store.process import EngineProcess


class EmbeddedStore(PointStore):
    """Implements `Store` on an engine process that owns the folder.

    Raises StoreLocked if another process has it.
    """

    def __init__(self, folder: Path) -> None:
        self.process = EngineProcess(folder)
        super().__init__(cast("Engine", self.process), "embedded")

    def optimize(self, name: str) -> bool:
        """Build the HNSW graph of a collection of 50,000 points or more; whether there was need.

        Until then search is exact. Takes about a minute per 100,000 points, during which every
        other call of the store waits.
        """
        self.collection(name)
        built: bool = self.process.optimize(name)
        return built
