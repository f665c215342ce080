"""A map made of small pictures, each where its point lies, none on top of another."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_CELL = 72  # pixels
_GAP = 4
_MARGIN, _TITLE = 36, 64
_LONGER = 40  # cells along the longer side
_PAPER, _INK = "#ffffff", "#30343a"


@dataclass(frozen=True, slots=True)
class Cells:
    """Which points are shown where: `rows` (m,) of the points, at `columns` and `lines` of a grid.

    `width`, `height`: of the grid, in cells. Line 0 is the uppermost.
    """

    rows: list[int]
    columns: list[int]
    lines: list[int]
    width: int
    height: int


def choose_cells(coordinates: NDArray[np.float32]) -> Cells:
    """For every cell with points in it the one nearest to its middle, of coordinates (n, 2)."""
    if not len(coordinates):
        return Cells([], [], [], 1, 1)
    low = coordinates.min(axis=0).astype(np.float64)
    extent = np.ptp(coordinates, axis=0).astype(np.float64)
    size = max(float(extent.max()), 1e-12) / _LONGER
    width, height = (max(1, int(np.ceil(side / size - 1e-9))) for side in extent)
    at = (coordinates - low) / size
    cells = np.clip(np.floor(at).astype(int), 0, [width - 1, height - 1])
    off = ((at - cells - 0.5) ** 2).sum(axis=1)
    order = np.lexsort((np.arange(len(at)), off, cells[:, 0], cells[:, 1]))
    _, first = np.unique(cells[order, 1] * width + cells[order, 0], return_index=True)
    rows = order[first]
    lines = height - 1 - cells[rows, 1]
    return Cells(rows.tolist(), cells[rows, 0].tolist(), lines.tolist(), width, height)


def draw_thumbnails(cells: Cells, pictures: Sequence[bytes], *, title: str) -> bytes:
    """The map as PNG; `pictures` are of `cells.rows`, JPEG or PNG, empty for a grey spot."""
    width = max(2 * _MARGIN + cells.width * _CELL, 640)
    canvas = Image.new("RGB", (width, _TITLE + _MARGIN + cells.height * _CELL), _PAPER)
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(size=24)
    draw.text((_MARGIN, 22), _line(draw, title, font, width - 2 * _MARGIN), fill=_INK, font=font)
    for column, line, data in zip(cells.columns, cells.lines, pictures, strict=True):
        picture = _thumbnail(data)
        left = _MARGIN + column * _CELL + (_CELL - picture.width) // 2
        top = _TITLE + line * _CELL + (_CELL - picture.height) // 2
        canvas.paste(picture, (left, top))
    buffer = io.BytesIO()
    canvas.save(buffer, format="PNG")
    return buffer.getvalue()


def _thumbnail(data: bytes) -> Image.Image:
    side = _CELL - _GAP
    if not data:
        return Image.new("RGB", (side, side), "#d5d8dc")
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return picture


def _line(
    draw: ImageDraw.ImageDraw,
    text: str,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    room: int,
) -> str:
    """The text on one line, cut to the room there is."""
    line = "".join(sign if sign.isprintable() else " " for sign in text)
    if draw.textlength(line, font=font) <= room:
        return line
    while line and draw.textlength(line + "…", font=font) > room:
        line = line[:-1]
    return line + "…"
