"""Heat maps drawn over their pictures, as PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from lookalike_service.explain.gradcam import Heatmap
from lookalike_service.images import Pixels, Region

_LONG_SIDE = (384, 768)
"""Smaller pictures are drawn at the first, larger ones at the second, in pixels of the longer side."""

_PAPER, _INK, _MARGIN, _FONT_SIZE = (255, 255, 255), (40, 40, 40), 14, 15
_BAR_WIDTH, _LEGEND_HEIGHT = 16, 96


def overlay(rgb: Pixels, heatmap: Heatmap, region: Region) -> bytes:
    """A PNG of a picture under its heat map, with a colour bar.

    `rgb`: uint8 (height, width, 3), upright. `region`: the part of it that the map covers, outlined;
    what lies outside was not seen by the encoder and is drawn dim and grey. The aspect is kept.
    """
    return _png(_with_legend([blend(rgb, heatmap, region)], [_caption("", heatmap)]))


def side_by_side(
    panels: Sequence[tuple[Pixels, Heatmap, Region]], captions: Sequence[str]
) -> bytes:
    """A PNG of several pictures under their heat maps, in a row, with captions and a colour bar.

    Raises ValueError unless there is one caption for each of at least one panel.
    """
    if not panels or len(panels) != len(captions):
        raise ValueError(f"{len(panels)} panels and {len(captions)} captions; give one for each.")
    texts = [
        _caption(text, heatmap) for (_, heatmap, _), text in zip(panels, captions, strict=True)
    ]
    return _png(_with_legend([blend(*panel) for panel in panels], texts))


def blend(rgb: Pixels, heatmap: Heatmap, region: Region) -> Pixels:
    """The picture under its heat map, without a legend: uint8 (h, w, 3) of at most 768 a side."""
    picture = _at_drawing_size(Pillow.fromarray(rgb))
    scale_x, scale_y = picture.width / rgb.shape[1], picture.height / rgb.shape[0]
    left, top = int(region.left * scale_x), int(region.top * scale_y)
    right = min(picture.width, max(left + 1, round((region.left + region.width) * scale_x)))
    bottom = min(picture.height, max(top + 1, round((region.top + region.height) * scale_y)))
    seen = np.s_[top:bottom, left:right]
    pixels = np.asarray(picture, dtype=np.float32)
    grey = pixels.mean(axis=2, keepdims=True)
    drawn = np.repeat(grey * 0.35 + 110, 3, axis=2)
    heat = _enlarged(heatmap.grid, right - left, bottom - top)
    drawn[seen] = _heated(0.6 * pixels[seen] + 0.4 * grey[seen], heat)
    canvas = Pillow.fromarray(np.clip(drawn, 0, 255).astype(np.uint8))
    if (right - left, bottom - top) != canvas.size:
        ImageDraw.Draw(canvas).rectangle((left, top, right - 1, bottom - 1), outline="white")
    return np.asarray(canvas)


def _at_drawing_size(picture: Pillow.Image) -> Pillow.Image:
    longer = max(picture.size)
    scale = min(max(longer, _LONG_SIDE[0]), _LONG_SIDE[1]) / longer
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Pillow.Resampling.LANCZOS)


def _enlarged(grid: NDArray[np.float32], width: int, height: int) -> NDArray[np.float32]:
    """The map over its region, smooth: (height, width, 1) in [0, 1]."""
    smooth = Pillow.fromarray(grid).resize((width, height), Pillow.Resampling.BICUBIC)
    heat: NDArray[np.float32] = np.clip(np.asarray(smooth), 0, 1)[..., None]
    return heat


def _heated(pixels: NDArray[np.float32], heat: NDArray[np.float32]) -> NDArray[np.float32]:
    """Colour laid over pixels, the more opaque the hotter, so that hot spots stand out of the picture."""
    colours = _colours()[np.rint(heat[..., 0] * 255).astype(np.uint8)]
    opacity = 0.3 + 0.45 * heat
    return pixels * (1 - opacity) + colours * opacity


@lru_cache(maxsize=1)
def _colours() -> NDArray[np.float32]:
    """Inferno, a perceptually uniform colour map: (256, 3), from 0 (black) to 1 (yellow)."""
    table: NDArray[np.float64] = colormaps["inferno"](np.arange(256))[:, :3]
    return (255 * table).astype(np.float32)


def _caption(text: str, heatmap: Heatmap) -> str:
    notes = [text, "nothing in the picture speaks for it" if heatmap.empty else ""]
    return ": ".join(note for note in notes if note)


def _with_legend(panels: Sequence[Pixels], captions: Sequence[str]) -> Pillow.Image:
    height = max(_LEGEND_HEIGHT, *(panel.shape[0] for panel in panels))
    parts = [
        _panel(Pillow.fromarray(panel), caption, height, captioned=any(captions))
        for panel, caption in zip(panels, captions, strict=True)
    ]
    parts.append(_legend(height))
    width = sum(part.width + _MARGIN for part in parts) + _MARGIN
    sheet = Pillow.new("RGB", (width, parts[0].height + 2 * _MARGIN), _PAPER)
    left = _MARGIN
    for part in parts:
        sheet.paste(part, (left, _MARGIN))
        left += part.width + _MARGIN
    return sheet


def _panel(picture: Pillow.Image, caption: str, height: int, *, captioned: bool) -> Pillow.Image:
    """A picture in a cell of this height, its caption below where the row has captions."""
    font = ImageFont.load_default(_FONT_SIZE)
    width = max(picture.width, round(font.getlength(caption)))
    cell = Pillow.new("RGB", (width, height + captioned * (_FONT_SIZE + _MARGIN)), _PAPER)
    cell.paste(picture, (0, (height - picture.height) // 2))
    ImageDraw.Draw(cell).text((0, height + _MARGIN // 2), caption, fill=_INK, font=font)
    return cell


def _legend(height: int) -> Pillow.Image:
    font = ImageFont.load_default(_FONT_SIZE)
    text = _BAR_WIDTH + 5
    legend = Pillow.new("RGB", (text + round(font.getlength("most")), height), _PAPER)
    ramp = np.repeat(_colours()[::-1, None].astype(np.uint8), _BAR_WIDTH, axis=1)
    legend.paste(Pillow.fromarray(ramp).resize((_BAR_WIDTH, height)), (0, 0))
    draw = ImageDraw.Draw(legend)
    draw.text((text, 0), "most", fill=_INK, font=font, anchor="la")
    draw.text((text, height), "none", fill=_INK, font=font, anchor="ls")
    return legend


def _png(image: Pillow.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()
