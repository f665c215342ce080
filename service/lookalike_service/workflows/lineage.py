"""What became of the clusters of one run in another, by the images that both saw."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from lookalike_service.analysis.lineage import Lineage, trace
from lookalike_service.errors import InvalidParameters
from lookalike_service.schemas.cluster_versions import (
    Fate,
    Flow,
    LineageOut,
    LineageRun,
    Matched,
    RunCluster,
)
from lookalike_service.schemas.clusterings import ClusteringOut
from lookalike_service.store.protocol import Store
from lookalike_service.workflows import clustering

_MOST_PAIRS = 2**22


def compare(store: Store, collection: str, name: str, later: str) -> LineageOut:
    """The lineage from one run to another of the same collection, of any spaces and algorithms.

    Raises InvalidParameters if no image is in both or there are too many clusters, UnknownClustering,
    UnknownCollection.
    """
    run, arrays = clustering.load(store, collection, name)
    other, other_arrays = clustering.load(store, collection, later)
    _check_table(run, other)
    ids, other_ids = arrays["ids"], other_arrays["ids"]
    both, rows, other_rows = np.intersect1d(ids, other_ids, return_indices=True)
    if len(both) == 0:
        raise InvalidParameters(
            f"No image is in both '{name}' and '{later}'; runs of the same images can be compared."
        )
    found = trace(
        np.asarray(arrays["labels"])[rows],
        np.asarray(other_arrays["labels"])[other_rows],
        clusters=len(run.clusters),
        later_clusters=len(other.clusters),
    )
    return LineageOut(
        run=_described(run, found.labels, found.overlap.sum(axis=1).tolist()),
        later=_described(other, found.later_labels, found.overlap.sum(axis=0).tolist()),
        points=len(both),
        only=len(ids) - len(both),
        only_later=len(other_ids) - len(both),
        overlap=found.overlap.tolist(),
        flows=_flows(found),
        fates=[Fate(**asdict(fate)) for fate in found.fates],
        new=found.new,
        matching=[Matched(**asdict(pair)) for pair in found.matching],
        figures=found.figures,
    )


def _check_table(run: ClusteringOut, other: ClusteringOut) -> None:
    """Raise InvalidParameters if the table of all pairs of clusters would be too large to match."""
    if len(run.clusters) * len(other.clusters) > _MOST_PAIRS:
        raise InvalidParameters(
            f"'{run.name}' has {len(run.clusters)} clusters and '{other.name}' {len(other.clusters)}: runs "
            f"with up to {_MOST_PAIRS} pairs of clusters can be compared; cluster into fewer."
        )


def _described(run: ClusteringOut, labels: list[int], sizes: list[int]) -> LineageRun:
    clusters = [
        RunCluster(label=label, name=run.clusters[label].name if label >= 0 else None, size=size)
        for label, size in zip(labels, sizes, strict=True)
    ]
    return LineageRun(
        name=run.name, created_at=run.created_at, points=run.points, clusters=clusters
    )


def _flows(found: Lineage) -> list[Flow]:
    sizes, later_sizes = found.overlap.sum(axis=1), found.overlap.sum(axis=0)
    flows = [
        Flow(
            label=found.labels[row],
            later=found.later_labels[column],
            images=int(found.overlap[row, column]),
            share=float(found.overlap[row, column] / sizes[row]),
            later_share=float(found.overlap[row, column] / later_sizes[column]),
        )
        for row, column in np.argwhere(found.overlap).tolist()
    ]
    return sorted(flows, key=lambda flow: (-flow.images, flow.label, flow.later))
