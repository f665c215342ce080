"""Cluster cards on the wire: as JSON, or as a picture."""

from __future__ import annotations

import asyncio

from lookalike_service.api.context import Context
from lookalike_service.api.maps import stored_map
from lookalike_service.api.problems import item_error
from lookalike_service.encoders.protocol import Encoder
from lookalike_service.errors import LookalikeError
from lookalike_service.explain.overlay import Panel, sheet
from lookalike_service.schemas.clusterings import ClusterCard, Exemplar
from lookalike_service.workflows.cluster_cards import Card
from lookalike_service.workflows.explained_hits import Drawn, ExplainedHit, read_thumbnails


def card_out(encoder: Encoder, collection: str, clustering: str, card: Card) -> ClusterCard:
    """The card as JSON."""
    cluster = card.cluster
    return ClusterCard(
        collection=collection,
        clustering=clustering,
        label=cluster.label,
        name=cluster.name,
        size=cluster.size,
        medoid=cluster.medoid,
        spread=cluster.spread,
        nearest=card.nearest,
        similarity=card.similarity,
        exemplars=[_exemplar(encoder, one) for one in card.exemplars],
    )


def _exemplar(encoder: Encoder, one: ExplainedHit) -> Exemplar:
    payload, drawn = one.hit.payload, one.drawn
    return Exemplar(
        id=payload["key"],
        score=one.hit.score,
        source=payload["source"],
        metadata=payload["metadata"],
        map=None if isinstance(drawn, LookalikeError) else stored_map(drawn, encoder, payload),
        error=item_error(drawn) if isinstance(drawn, LookalikeError) else None,
    )


async def draw_card(
    context: Context, encoder: Encoder, collection: str, clustering: str, card: Card
) -> bytes:
    """The card as PNG; exemplars without a map are left out."""
    shown = [(one.hit, one.drawn) for one in card.exemplars if isinstance(one.drawn, Drawn)]
    thumbnails = await read_thumbnails(context.store, collection, [hit for hit, _ in shown])

    def draw() -> bytes:
        panels = []
        for (hit, drawn), thumbnail in zip(shown, thumbnails, strict=True):
            rgb = context.embedder.picture(thumbnail)
            region = encoder.region(rgb.shape[1], rgb.shape[0])
            caption = f"{hit.score:.3f}  {hit.payload['key']}"
            panels.append(Panel(rgb, drawn.heatmap, region, caption))
        return sheet(panels, title=_title(clustering, card))

    return await asyncio.to_thread(draw)


def _title(clustering: str, card: Card) -> str:
    cluster = card.cluster
    title = (
        f"{clustering}, cluster {cluster.label}: {cluster.size} images, spread {cluster.spread:.3f}"
    )
    if card.nearest is None:
        return title
    return f"{title}; hot: what tells it from the nearest, cluster {card.nearest} ({card.similarity:.3f})"
