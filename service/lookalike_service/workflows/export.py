"""The images of a clustering, or of some of its clusters, row by row: for tables and archives."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from lookalike_service.errors import StoreUnavailable
from lookalike_service.schemas.clusterings import ClusteringOut
from lookalike_service.store.protocol import Filter, Record, Store
from lookalike_service.workflows import clustering, runs
from lookalike_service.workflows.cluster_notes import check_label

COLUMNS = (
    "id", "label", "cluster", "confidence", "source", "sha256", "width", "height", "format",
    "indexed_at", "metadata",
)  # fmt: skip
"""What is told of each image: `cluster` is the cluster's name, `confidence` of those labelled later."""

_STORED = ("source", "sha256", "width", "height", "format", "indexed_at", "metadata")

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Export:
    """A run, and the clusters of it that are wanted; None for all, noise too."""

    collection: str
    run: ClusteringOut
    labels: tuple[int, ...] | None

    @property
    def filter(self) -> Filter:
        """The images that are wanted."""
        field = f"clusters.{self.run.name}"
        if self.labels is None:
            return {"must_not": [{"is_empty": {"key": field}}]}
        return {"must": [{"key": field, "match": {"any": list(self.labels)}}]}

    @property
    def file_name(self) -> str:
        """A name for the file, without its ending."""
        some = "" if self.labels is None else "-" + "-".join(map(str, self.labels))
        return f"{self.collection}-{self.run.name}{some}"[:200]

    def row(self, record: Record) -> Row | None:
        """What is told of an image; None if it lost its label just now."""
        label = record.payload.get("clusters", {}).get(self.run.name)
        if label is None:
            return None
        named = self.run.clusters[label].name if 0 <= label < len(self.run.clusters) else None
        return {
            "id": record.payload["key"],
            "label": label,
            "cluster": named,
            "confidence": record.payload.get("confidences", {}).get(self.run.name),
            **{column: record.payload[column] for column in _STORED},
        }


def prepare(store: Store, collection: str, name: str, labels: Sequence[int]) -> Export:
    """The export of these clusters, -1 for noise, or of all if none is named.

    Raises UnknownCluster, UnknownClustering, UnknownCollection.
    """
    run = clustering.get(store, collection, name)
    wanted = sorted(set(labels))
    for label in wanted:
        if label != -1:
            check_label(run, label)
    return Export(collection, run, tuple(wanted) or None)


def pages(store: Store, export: Export, *, size: int) -> Iterator[list[tuple[Row, Record]]]:
    """The images in pages of at most `size`, in the order of their points' ids.

    Raises StoreUnavailable if the clustering is made anew or dropped meanwhile: what was exported by then
    would be a mix of two.
    """
    cursor: str | None = None
    key = runs.key(export.collection, export.run.name)
    while True:
        records, cursor = store.scroll(
            export.collection, filter=export.filter, limit=size, cursor=cursor
        )
        found = store.document(clustering.KIND, key)
        if found is None or found.get("run", "") != export.run.run:
            raise StoreUnavailable(
                f"Clustering '{export.run.name}' was replaced while it was exported; export it again."
            )
        rows = [(row, record) for record in records if (row := export.row(record)) is not None]
        if rows:
            yield rows
        if cursor is None:
            return
