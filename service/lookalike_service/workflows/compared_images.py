"""Typical images of two sets that were compared, each with what in it makes it of its own set."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import numpy as np

from lookalike_service.schemas.comparisons import Side
from lookalike_service.store.protocol import Hit, Store, point_id
from lookalike_service.workflows import comparison, runs
from lookalike_service.workflows.explained_hits import ExplainedHit, explain_hits
from lookalike_service.workflows.explaining import Explainer


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """An image of one set, with its map; `along`: its coordinate from the first set to the second."""

    side: Side
    along: float
    explained: ExplainedHit


async def explain_typical(
    explainer: Explainer, store: Store, collection: str, name: str, *, count: int
) -> list[Compared]:
    """The most typical images of each set, at most `count` each, explained along the direction between means.

    Raises UnknownComparison, UnknownCollection, SpaceMismatch if the collection was migrated since.
    """
    run, arrays = await asyncio.to_thread(comparison.load, store, collection, name)
    await asyncio.to_thread(runs.in_space, store, collection, f"comparison '{name}'", run.space)
    direction = arrays["direction"]
    found: list[Compared] = []
    sides: tuple[tuple[Side, float], ...] = (("first", -1.0), ("second", 1.0))
    for side, sign in sides:
        subset = run.first if side == "first" else run.second
        hits = await asyncio.to_thread(_hits, store, subset.collection, subset.typical[:count])
        towards = (sign * direction).astype(np.float32)
        explained = await explain_hits(explainer, store, subset.collection, hits, towards)
        found += [
            Compared(side, float(direction @ one.hit.vector), one)
            for one in explained
            if one.hit.vector is not None
        ]
    return found


def _hits(store: Store, collection: str, keys: list[str]) -> list[Hit]:
    records = store.retrieve(collection, [point_id(key) for key in keys], vectors=True)
    return [Hit(record.id, 0.0, record.payload, record.vector) for record in records]
