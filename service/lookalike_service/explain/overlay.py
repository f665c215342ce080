"""Heat maps drawn over their pictures, as PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from matplotlib import colormaps
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from lookalike_service.explain.heatmap import Heatmap
from lookalike_service.images import Pixels, Region

_LONG_SIDE = (384, 768)
"""Smaller pictures are drawn at the first, larger ones at the second, in pixels of the longer side."""

_PAPER, _INK, _MARGIN, _FONT_SIZE = (255, 255, 255), (40, 40, 40), 14, 15
_WIDEST_CAPTION = 384
_BAR_WIDTH, _LEGEND_HEIGHT = 16, 96


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """A picture, its map, and the part of the picture that the map covers.

    `rgb`: uint8 (height, width, 3), upright. What lies outside `region` was not seen by the encoder: it is
    drawn dim and grey, and the region is outlined. A `caption` too long for the picture is cut; the `note`
    after it is not.
    """

    rgb: Pixels
    heatmap: Heatmap
    region: Region
    caption: str = ""
    note: str = ""


def sheet(panels: Sequence[Panel], *, title: str = "", columns: int = 3) -> bytes:
    """A PNG of pictures under their heat maps, row by row, with captions and a colour bar.

    Aspects are kept. A map that is empty says so in its caption. Raises ValueError for no columns.
    """
    if columns < 1:
        raise ValueError(f"A sheet of {columns} columns; at least 1.")
    captioned = any(panel.caption or _note(panel) for panel in panels)
    cells = [_cell(panel, captioned=captioned) for panel in panels]
    rows = [cells[i : i + columns] for i in range(0, len(cells), columns)]
    widths = [
        max(cell.width for cell in cells[i::columns]) for i in range(len(rows[0]) if rows else 0)
    ]
    drawn = [_row(row, widths) for row in rows]
    legend = _legend(max(_LEGEND_HEIGHT, drawn[0].height if drawn else 0))
    return _png(_stacked(drawn, legend, title))


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


def _note(panel: Panel) -> str:
    """What is said of the map, after the caption."""
    note = "nothing in the picture speaks for it" if panel.heatmap.empty else panel.note
    return f": {note}" if note and panel.caption else note


def _cell(panel: Panel, *, captioned: bool) -> Pillow.Image:
    """A picture above its caption, with room for one where the sheet has captions."""
    picture = Pillow.fromarray(blend(panel.rgb, panel.heatmap, panel.region))
    font = ImageFont.load_default(_FONT_SIZE)
    note = _note(panel)
    room = max(picture.width, _WIDEST_CAPTION) - font.getlength(note)
    text = _cut(panel.caption, room) + note
    width = max(picture.width, round(font.getlength(text)))
    height = picture.height + captioned * (_FONT_SIZE + _MARGIN)
    cell = Pillow.new("RGB", (width, height), _PAPER)
    cell.paste(picture, (0, 0))
    ImageDraw.Draw(cell).text((0, picture.height + _MARGIN // 2), text, fill=_INK, font=font)
    return cell


def _row(cells: Sequence[Pillow.Image], widths: Sequence[int]) -> Pillow.Image:
    """Cells side by side in columns of these widths."""
    height = max(cell.height for cell in cells)
    row = Pillow.new("RGB", (sum(widths) + _MARGIN * len(widths), height), _PAPER)
    left = 0
    for cell, width in zip(cells, widths, strict=False):  # the last row may be shorter
        row.paste(cell, (left, 0))
        left += width + _MARGIN
    return row


def _cut(text: str, width: float) -> str:
    """The text on one line of this many pixels at most."""
    font = ImageFont.load_default(_FONT_SIZE)
    line = "".join(sign if sign.isprintable() else " " for sign in text)
    if font.getlength(line) <= width:
        return line
    while line and font.getlength(line + "…") > width:
        line = line[:-1]
    return line + "…"


def _stacked(rows: Sequence[Pillow.Image], legend: Pillow.Image, title: str) -> Pillow.Image:
    """Rows below each other under a title, the legend to the right of the first."""
    font = ImageFont.load_default(_FONT_SIZE + 2)
    top = _MARGIN + (_FONT_SIZE + _MARGIN if title else 0)
    wide = max(
        [row.width for row in rows] + [round(font.getlength(title)) + _MARGIN - legend.width]
    )
    tall = max(sum(row.height + _MARGIN for row in rows), legend.height + _MARGIN)
    canvas = Pillow.new("RGB", (_MARGIN + wide + legend.width + _MARGIN, top + tall), _PAPER)
    ImageDraw.Draw(canvas).text((_MARGIN, _MARGIN), title, fill=_INK, font=font)
    canvas.paste(legend, (_MARGIN + wide, top))
    for row in rows:
        canvas.paste(row, (_MARGIN, top))
        top += row.height + _MARGIN
    return canvas


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
