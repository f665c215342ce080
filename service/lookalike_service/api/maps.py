"""Heat maps on the wire."""

from __future__ import annotations

from lookalike_service.encoders.protocol import Encoder
from lookalike_service.explain.gradcam import Heatmap
from lookalike_service.schemas import Map, Region
from lookalike_service.workflows.embedding import Decoded


def map_out(heatmap: Heatmap, encoder: Encoder, image: Decoded) -> Map:
    """A heat map with the part of the image it covers."""
    region = encoder.region(image.width, image.height)
    return Map(
        grid=heatmap.grid.tolist(),
        region=Region(left=region.left, top=region.top, width=region.width, height=region.height),
        image_width=image.width,
        image_height=image.height,
        peak=heatmap.peak,
        empty=heatmap.empty,
    )
