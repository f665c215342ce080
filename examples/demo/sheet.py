"""A contact sheet: queries on the left, what was found for them on the right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

RIGHT, WRONG, PLAIN = "#2a7f3f", "#b3372f", "#444444"


@dataclass(frozen=True)
class Found:
    """One hit: its picture, its score, and whether it is of the query's label (None: unknown)."""

    path: Path
    score: float
    right: bool | None


def draw(rows: Sequence[tuple[Path, Sequence[Found]]], target: Path) -> None:
    """Write the sheet as PNG: one row per query."""
    columns = 1 + max(len(found) for _, found in rows)
    figure = Figure(figsize=(1.9 * columns, 2.05 * len(rows)), layout="constrained", dpi=110)
    grid = figure.subplots(len(rows), columns, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for line, (query, found) in zip(grid, rows, strict=True):
        _show(line[0], query, f"query: {query.parent.name}", PLAIN, bold=True)
        for axes, hit in zip(line[1:], found, strict=False):
            colour = {True: RIGHT, False: WRONG, None: PLAIN}[hit.right]
            _show(axes, hit.path, f"{hit.score:.3f}  {hit.path.parent.name}", colour)
    figure.savefig(target)


def _show(axes, path: Path, caption: str, colour: str, *, bold: bool = False) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
    picture = Image.open(path).convert("RGB")
    picture.thumbnail((360, 360))
    axes.imshow(picture)
    weight = "bold" if bold else "normal"
    axes.set_title(caption, fontsize=8, color=colour, fontweight=weight)
