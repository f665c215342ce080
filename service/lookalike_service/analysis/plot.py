"""A projection as a picture."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lookalike_service.errors import InvalidParameters

NOISE = "noise"
OTHER = "other"
_MOST_ENTRIES = 20
_MOST_SHAPES = 5_000
_GREY, _LIGHT_GREY = "#9aa0a6", "#c9cdd2"
_INK = "#30343a"
_STYLE: Mapping[str, Any] = {"alpha": 0.85, "linewidths": 0.3, "edgecolors": "white"}


def plot_projection(
    coordinates: NDArray[np.floating],
    *,
    title: str,
    labels: Sequence[str | int] | NDArray[np.int64] | None = None,
    values: Sequence[float] | NDArray[np.floating] | None = None,
    legend: str = "",
    format: Literal["png", "svg"] = "png",
) -> bytes:
    """Draw points (n, 2) or (n, 3) and answer with a PNG, or an SVG.

    Coloured by `labels` (names, or clusters as int; "noise" and -1 in grey; the 20 most frequent get
    an entry in the legend, the rest is "other"), or by `values` with a colour bar (NaN in grey),
    or not at all. `legend` says what is coloured by. In an SVG the points beyond some thousands are a
    picture. Raises InvalidParameters for other shapes.
    """
    _check(coordinates, labels, values)
    figure = Figure(figsize=(9, 7), dpi=140, layout="constrained", facecolor="white")
    axes: Any = figure.add_subplot(projection="3d" if coordinates.shape[1] == 3 else None)
    _frame(axes, title)
    size = float(np.clip(9000 / max(len(coordinates), 1), 4, 42))
    if labels is not None:
        _by_label(axes, coordinates, [_name(label) for label in labels], size, legend)
    elif values is not None:
        numbers = np.asarray(values, dtype=np.float64)
        _by_value(figure, axes, coordinates, numbers, size=size, legend=legend)
    else:
        axes.scatter(*coordinates.T, s=size, color="#3b6fb6", **_STYLE)
    return _written(figure, axes, format)


def _check(
    coordinates: NDArray[np.floating], labels: Sequence[Any] | NDArray[Any] | None, values: Any
) -> None:
    if coordinates.ndim != 2 or coordinates.shape[1] not in (2, 3):
        raise InvalidParameters(
            f"coordinates have shape {coordinates.shape}; allowed: (n, 2) or (n, 3)"
        )
    if labels is not None and values is not None:
        raise InvalidParameters("a plot is coloured by labels or by values, not by both")
    for name, colours in (("labels", labels), ("values", values)):
        if colours is not None and len(colours) != len(coordinates):
            raise InvalidParameters(f"{len(colours)} {name} for {len(coordinates)} points")


def _name(label: str | int | np.int64) -> str:
    return label if isinstance(label, str) else NOISE if label < 0 else f"cluster {label}"


def _frame(axes: Any, title: str) -> None:
    """A calm frame: the numbers on the axes of a map mean nothing, so there are none."""
    axes.set_title(
        _shown(title, 70), loc="left", fontsize=14, fontweight="bold", color=_INK, pad=12
    )
    axes.tick_params(left=False, bottom=False, labelleft=False, labelbottom=False)
    if hasattr(axes, "zaxis"):
        for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
            axis.set_ticklabels([])
        return
    axes.set_aspect("equal", adjustable="datalim")
    axes.margins(0.05)
    axes.set_facecolor("#fbfbfc")
    for spine in axes.spines.values():
        spine.set_color("#dfe2e6")


def _by_label(
    axes: Any, coordinates: NDArray[np.floating], names: list[str], size: float, legend: str
) -> None:
    counts = Counter(name for name in names if name != NOISE)
    shown = sorted((name for name, _ in counts.most_common(_MOST_ENTRIES)), key=_natural)
    colours = dict(zip(shown, _palette(len(shown)), strict=True))
    groups: dict[str, list[int]] = {name: [] for name in (NOISE, OTHER, *shown)}  # drawn in order
    for row, name in enumerate(names):
        groups[name if name in groups else OTHER].append(row)
    for name, rows in groups.items():
        if rows:
            colour = colours.get(name, _LIGHT_GREY if name == NOISE else _GREY)
            text = f"{_shown(name, 28)}  ({len(rows):,})"
            points = coordinates[rows].T
            axes.scatter(*points, s=size, color=colour, label=text, **_STYLE)
    handles, texts = axes.get_legend_handles_labels()
    grey = sum(bool(groups[name]) for name in (NOISE, OTHER))
    axes.legend(
        handles[grey:] + handles[:grey],  # the greys last
        texts[grey:] + texts[:grey],
        title=_shown(legend, 28) or None,
        loc="center left",
        bbox_to_anchor=(1.01, 0.5),
        frameon=False,
        fontsize=9,
        markerscale=max(1.0, (30 / size) ** 0.5),
        alignment="left",
    )


def _by_value(
    figure: Figure,
    axes: Any,
    coordinates: NDArray[np.floating],
    values: NDArray[np.float64],
    *,
    size: float,
    legend: str,
) -> None:
    known = np.isfinite(values)
    axes.scatter(*coordinates[~known].T, s=size, color=_LIGHT_GREY, **_STYLE)
    drawn = axes.scatter(*coordinates[known].T, s=size, c=values[known], cmap="viridis", **_STYLE)
    bar = figure.colorbar(drawn, ax=axes, label=_shown(legend, 60), shrink=0.7, aspect=28, pad=0.02)
    bar.outline.set_visible(False)


def _palette(count: int) -> list[Any]:
    """As many colours as differ well: nine strong ones, their lighter pairs, two dark ones."""
    tab20 = mpl.colormaps["tab20"](np.arange(20))
    coloured = np.delete(tab20, (14, 15), axis=0)  # these two are greys
    return [*coloured[::2], *coloured[1::2], (0.1, 0.1, 0.35), (0.35, 0.2, 0.05)][:count]


def _natural(name: str) -> tuple[str, int]:
    """Sorts "cluster 10" after "cluster 9"."""
    head, _, tail = name.rpartition(" ")
    return (head, int(tail)) if tail.isascii() and tail.isdecimal() else (name, -1)


def _shown(text: str, most: int) -> str:
    """The text on one line, cut to `most` characters, with nothing that matplotlib gives a meaning.

    To it a $ starts a formula, and a name with a leading underscore is not for the legend.
    """
    line = "".join(sign if sign.isprintable() else " " for sign in text)
    cut = line if len(line) <= most else line[: most - 1] + "…"
    return (" " if cut.startswith("_") else "") + cut.replace("$", r"\$")


def _written(figure: Figure, axes: Any, format: Literal["png", "svg"]) -> bytes:
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    if format == "png":
        figure.savefig(buffer, format="png")
        return buffer.getvalue()
    for points in axes.collections:
        points.set_rasterized(len(points.get_offsets()) > _MOST_SHAPES)
    # The same map gives the same file: no date in it, and the same names of its parts.
    with mpl.rc_context({"svg.hashsalt": "lookalike"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue()
