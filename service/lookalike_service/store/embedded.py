"""The store on the embedded engine, in a folder of its own."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from lookalike_service.store.embedded_engine import LABELS, EmbeddedEngine
from lookalike_service.store.engine import Engine
from lookalike_service.store.graph_builder import GraphBuilder
from lookalike_service.store.label_table import LabelTable
from lookalike_service.store.options import EMBEDDED_DEFAULTS, EmbeddedOptions
from lookalike_service.store.point_store import PointStore
from lookalike_service.store.remembered_documents import RememberedDocuments

_SETTLE_SECONDS = 3.0


class EmbeddedStore(PointStore):
    """Implements `Store` on engine processes that own the folder.

    Large collections get an HNSW graph by themselves, `settle` seconds after the last write. Raises
    StoreLocked if another process has the folder.
    """

    def __init__(
        self,
        folder: Path,
        options: EmbeddedOptions = EMBEDDED_DEFAULTS,
        *,
        settle: float = _SETTLE_SECONDS,
    ) -> None:
        self.engine = EmbeddedEngine(folder, options)
        engine = cast("Engine", self.engine)
        labels = LabelTable(folder / LABELS, durable=options.durable)
        super().__init__(engine, RememberedDocuments(engine), labels, "embedded")
        self._graphs = GraphBuilder(self.engine, settle=settle)

    def close(self) -> None:
        """See `Store`."""
        self._graphs.close()
        super().close()

    def optimize(self, name: str) -> bool:
        """Build the HNSW graph now instead of soon; whether there was need.

        Until it is there, search is exact. Takes a minute or more per 100,000 points, during which
        the other calls of the store are answered.
        """
        return self._graphs.build(self._catalogue.at(name).stored_as)
