"""What the page of a comparison shows: thumbnails, heat maps and counterparts, gathered."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Sequence

from lookalike_service.encoders.protocol import Encoder
from lookalike_service.errors import (
    InvalidModel,
    LookalikeError,
    SpaceMismatch,
    UnknownModel,
    UnsupportedTarget,
    WeightsMissing,
)
from lookalike_service.explain.overlay import blend
from lookalike_service.images import thumbnail
from lookalike_service.schemas.comparisons import ComparisonOut, Side
from lookalike_service.store.protocol import Store, point_id
from lookalike_service.workflows import comparison
from lookalike_service.workflows.compared_images import Compared, explain_typical
from lookalike_service.workflows.comparison_page import Explained, Pairs, render
from lookalike_service.workflows.embedding import Embedder
from lookalike_service.workflows.explained_hits import Drawn
from lookalike_service.workflows.explaining import Explainer

NO_MAPS = (UnsupportedTarget, UnknownModel, InvalidModel, WeightsMissing, SpaceMismatch)
"""Why there can be no heat maps, which the page then says; anything else is an error of the call."""
_PAIRS = 6
_MAPS = 6
_SHOWN: tuple[tuple[Side, comparison.Order], ...] = (
    ("first", "farthest"),
    ("second", "farthest"),
    ("second", "nearest"),
)
Key = tuple[Side, str]


async def write_page(
    explainer: Explainer | LookalikeError,
    store: Store,
    embedder: Embedder,
    collection: str,
    name: str,
) -> str:
    """The report as HTML. `explainer`: what draws the heat maps, or why there can be none.

    Raises UnknownComparison, UnknownCollection, Overloaded, StoreUnavailable.
    """
    run = await asyncio.to_thread(comparison.get, store, collection, name)
    pairs = [
        await asyncio.to_thread(_pairs, store, collection, name, side, order)
        for side, order in _SHOWN
    ]
    pictures = await asyncio.to_thread(_pictures, store, run, pairs)
    explained: Sequence[Explained] | str
    try:
        if isinstance(explainer, LookalikeError):
            raise explainer
        typical = await explain_typical(explainer, store, collection, name, count=_MAPS)
    except NO_MAPS as error:
        explained = error.detail
    else:
        encoder = explainer.encoder
        explained = await asyncio.to_thread(_overlays, typical, encoder, embedder, pictures)
    model = (await asyncio.to_thread(store.collection, collection)).space.model

    def picture(side: Side, id: str) -> bytes | None:
        return pictures.get((side, id))

    return render(run, model, picture, explained, pairs)


def _pairs(store: Store, collection: str, name: str, side: Side, order: comparison.Order) -> Pairs:
    found = comparison.counterparts(
        store, collection, name, side=side, order=order, limit=_PAIRS, offset=0
    )
    return Pairs(side, order, found.counterparts)


def _pictures(store: Store, run: ComparisonOut, pairs: Sequence[Pairs]) -> dict[Key, bytes]:
    wanted: dict[Side, set[str]] = {"first": {*run.first.typical}, "second": {*run.second.typical}}
    for share in run.clusters:
        for side, ids in share.examples.items():
            wanted[side] |= {*ids}
    for found in pairs:
        other: Side = "second" if found.side == "first" else "first"
        wanted[found.side] |= {pair.id for pair in found.pairs}
        wanted[other] |= {pair.counterpart for pair in found.pairs}
    subsets = {"first": run.first, "second": run.second}
    return {
        (side, record.payload["key"]): base64.b64decode(record.payload.get("thumbnail") or "")
        for side, ids in wanted.items()
        for record in store.retrieve(
            subsets[side].collection, [point_id(id) for id in sorted(ids)], thumbnails=True
        )
    }


def _overlays(
    typical: Sequence[Compared],
    encoder: Encoder,
    embedder: Embedder,
    pictures: dict[Key, bytes],
) -> list[Explained]:
    found = []
    for one in typical:
        key, drawn = one.explained.hit.payload["key"], one.explained.drawn
        data = pictures.get((one.side, key))
        if isinstance(drawn, Drawn) and data:
            rgb = embedder.picture(data)
            region = encoder.region(rgb.shape[1], rgb.shape[0])
            overlay = thumbnail(blend(rgb, drawn.heatmap, region))
            found.append(Explained(one.side, key, one.along, overlay, None))
        else:
            why = drawn.detail if isinstance(drawn, LookalikeError) else "no picture of it is kept"
            found.append(Explained(one.side, key, one.along, None, why))
    return found
