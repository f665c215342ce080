"""Stored images explained: from what is remembered of them, else from their thumbnails."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lookalike_service.errors import LookalikeError, UnknownImage
from lookalike_service.explain.faithfulness import Faithfulness
from lookalike_service.explain.heatmap import Heatmap
from lookalike_service.explain.objectives import Along
from lookalike_service.images import Region
from lookalike_service.store.protocol import Hit, Store, Vector, point_id
from lookalike_service.workflows.explaining import Explainer
from lookalike_service.workflows.seen import Seen
from lookalike_service.workflows.targets import Aim


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A map, what it was made from, and how it was judged where that was asked for."""

    seen: Seen
    heatmap: Heatmap
    faithfulness: Faithfulness | None = None


@dataclass(frozen=True, slots=True, eq=False)
class ExplainedHit:
    """A stored image and its map, or why there is none."""

    hit: Hit
    drawn: Drawn | LookalikeError


@dataclass(frozen=True, slots=True, eq=False)
class Query:
    """What was searched by: a vector, float32 (dim,), and the image it is of with its size, if any.

    `region`: the part of the image that was searched by, where it was not the whole.
    """

    vector: Vector
    seen: Seen | None = None
    width: int = 0
    height: int = 0
    region: Region | None = None


async def explain_hits(
    explainer: Explainer,
    store: Store,
    collection: str,
    hits: Sequence[Hit],
    direction: Vector,
    *,
    judged: bool = False,
) -> list[ExplainedHit]:
    """What in each stored image speaks for one direction of the space, float (dim,)."""
    seen = await recall_or_see(explainer, store, collection, hits)
    good = [one for one in seen if isinstance(one, Seen)]
    drawn = iter(await draw_along(explainer, good, [direction] * len(good), judged=judged))
    return [
        ExplainedHit(hit, next(drawn) if isinstance(one, Seen) else one)
        for hit, one in zip(hits, seen, strict=True)
    ]


async def explain_search(
    explainer: Explainer,
    store: Store,
    collection: str,
    hits: Sequence[Hit],
    query: Query,
    *,
    judged: bool,
) -> list[tuple[ExplainedHit, Drawn | None]]:
    """Each hit with its likeness to the query, and the query's to it where the query is an image.

    `hits` have their vectors.
    """
    on_hits = await explain_hits(explainer, store, collection, hits, query.vector, judged=judged)
    if query.seen is None:
        return [(hit, None) for hit in on_hits]
    directions = [hit.vector for hit in hits if hit.vector is not None]
    seen = [query.seen] * len(directions)
    on_query = await draw_along(explainer, seen, directions, judged=judged)
    return list(zip(on_hits, on_query, strict=True))


async def draw_along(
    explainer: Explainer, seen: Sequence[Seen], directions: Sequence[Vector], *, judged: bool
) -> list[Drawn]:
    """The map of each image for the direction in its place."""
    aims = []
    for one, direction in zip(seen, directions, strict=True):
        objective = Along(direction)
        value = objective.value(one.encoded.embedding.astype(np.float64))
        aims.append(Aim(objective, objective, value, caption=""))
    maps = await explainer.draw(seen, aims)
    return [
        Drawn(one, heatmap, await explainer.judge(one, heatmap, aim) if judged else None)
        for one, heatmap, aim in zip(seen, maps, aims, strict=True)
    ]


def find_indexed(store: Store, collection: str, id: str) -> tuple[Hit, Vector]:
    """The indexed image of this id as a hit, and its vector. Raises UnknownImage, UnknownCollection."""
    records = store.retrieve(collection, [point_id(id)], vectors=True)
    if not records or records[0].vector is None:
        raise UnknownImage(f"No image '{id}' in collection '{collection}'.")
    record, vector = records[0], records[0].vector
    return Hit(record.id, 1.0, record.payload, vector), vector


async def read_thumbnails(store: Store, collection: str, hits: Sequence[Hit]) -> list[bytes]:
    """The thumbnail of each stored image, JPEG; empty where the image has just been deleted."""
    records = await asyncio.to_thread(
        store.retrieve, collection, [hit.id for hit in hits], thumbnails=True
    )
    found = {record.id: base64.b64decode(record.payload["thumbnail"]) for record in records}
    return [found.get(hit.id, b"") for hit in hits]


async def recall_or_see(
    explainer: Explainer, store: Store, collection: str, hits: Sequence[Hit]
) -> list[Seen | LookalikeError]:
    """What is remembered of each stored image; of the others, their thumbnails are embedded."""
    hashes = [str(hit.payload["sha256"]) for hit in hits]
    recalled = {sha256: explainer.recall(sha256) for sha256 in hashes}
    missing = [hit for hit, sha256 in zip(hits, hashes, strict=True) if recalled[sha256] is None]
    fresh: dict[str, Seen | LookalikeError] = {}
    if missing:
        thumbnails = await read_thumbnails(store, collection, missing)
        wanted = [str(hit.payload["sha256"]) for hit in missing]
        seen = await explainer.see_thumbnails(thumbnails, wanted)
        fresh = dict(zip(wanted, seen, strict=True))
    return [recalled[sha256] or fresh[sha256] for sha256 in hashes]
