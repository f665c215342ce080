"""Heat maps on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from lookalike_service import images
from lookalike_service.encoders.protocol import Encoder
from lookalike_service.errors import (
    InvalidVector,
    SpaceMismatch,
    StoreUnavailable,
    UnknownCluster,
    UnknownClustering,
    UnknownCollection,
    UnknownComparison,
    UnknownImage,
    UnknownModel,
    UnknownProjection,
    UnsupportedTarget,
    WrongDimension,
)
from lookalike_service.schemas.embedding import Faithfulness, Map, Region
from lookalike_service.workflows.explained_hits import Drawn

TARGET_ERRORS = (
    UnsupportedTarget, UnknownModel, UnknownCollection, UnknownImage, UnknownClustering, UnknownCluster,
    UnknownProjection, UnknownComparison, SpaceMismatch, WrongDimension, InvalidVector, StoreUnavailable,
)  # fmt: skip
"""What a call with a target may answer."""


def map_out(
    drawn: Drawn, encoder: Encoder, width: int, height: int, part: images.Region | None = None
) -> Map:
    """A map with the part it covers of the upright image, `width` × `height`.

    `part`: the region that was cut from the image for the encoder to see, if not the whole.
    """
    heatmap, judged = drawn.heatmap, drawn.faithfulness
    whole = part or images.Region(0, 0, width, height)
    region = encoder.region(max(1, round(whole.width)), max(1, round(whole.height)))
    return Map(
        grid=heatmap.grid.tolist(),
        region=Region(
            left=whole.left + region.left,
            top=whole.top + region.top,
            width=region.width,
            height=region.height,
        ),
        image_width=width,
        image_height=height,
        peak=heatmap.peak,
        empty=heatmap.empty,
        made_from=drawn.seen.made_from,
        faithfulness=None if judged is None else Faithfulness(**asdict(judged)),
    )


def stored_map(drawn: Drawn, encoder: Encoder, payload: Mapping[str, Any]) -> Map:
    """The map of a stored image, whose payload knows its size."""
    return map_out(drawn, encoder, payload["width"], payload["height"])
