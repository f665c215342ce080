"""What a cluster is about: its medoid, its spread and typical members, each with the map of why."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import numpy as np

from lookalike_service.schemas.clusterings import ClusterOut
from lookalike_service.store.protocol import Hit, Store, pinned
from lookalike_service.workflows.explained_hits import ExplainedHit, explain_hits
from lookalike_service.workflows.explaining import Explainer
from lookalike_service.workflows.targets import find_clusters


@dataclass(frozen=True, slots=True, eq=False)
class Card:
    """A cluster, the nearest other one with the cosine of their centroids, and its exemplars."""

    cluster: ClusterOut
    nearest: int | None
    similarity: float | None
    exemplars: list[ExplainedHit]


async def describe(
    explainer: Explainer, store: Store, collection: str, clustering: str, *, label: int, count: int
) -> Card:
    """The card of a cluster with `count` exemplars, fewer if it has fewer members.

    Raises UnknownCollection, UnknownClustering, UnknownCluster.
    """
    found = await asyncio.to_thread(find_clusters, store, collection, clustering)
    found.check(label)
    nearest = found.nearest(label)
    centroid = found.centroids[label]
    hits: list[Hit] = []
    if centroid.any():  # members that cancel out have no centre to be near
        only = {"must": [{"key": f"clusters.{clustering}", "match": {"value": label}}]}
        at = pinned(collection, explainer.encoder.info.space.id)
        hits = await asyncio.to_thread(
            store.query, at, centroid, limit=count, filter=only, vectors=True
        )
    direction = found.towards(label, nearest).astype(np.float32)
    return Card(
        cluster=found.run.clusters[label],
        nearest=nearest,
        similarity=None if nearest is None else float(centroid @ found.centroids[nearest]),
        exemplars=await explain_hits(explainer, store, collection, hits, direction),
    )
