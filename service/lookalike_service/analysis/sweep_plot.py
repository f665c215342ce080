"""A sweep over k as a picture."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

_BLUE, _RED = "#3b6fb6", "#b6453b"
_PANELS: Mapping[str, tuple[str, str]] = {
    "silhouette": ("silhouette", "Silhouette (higher is better)"),
    "elbow": ("within", "Sum of squared distances (elbow)"),
    "gap": ("gap", "Gap (higher is better)"),
    "calinski_harabasz": ("calinski_harabasz", "Calinski-Harabasz (higher is better)"),
    "davies_bouldin": ("davies_bouldin", "Davies-Bouldin (lower is better)"),
}
_BOUNDS = {
    "silhouette": lambda c: (c["silhouette_low"], c["silhouette_high"]),
    "gap": lambda c: (c["gap"] - c["gap_error"], c["gap"] + c["gap_error"]),
}


def plot_sweep(
    candidates: Sequence[Mapping[str, Any]],
    choices: Mapping[str, int | None],
    *,
    criterion: str,
    title: str,
) -> bytes:
    """Draw what speaks for each k, one panel for each criterion, and answer with a PNG.

    `candidates` and `choices` as those of `Sweep`. The choice of each is marked, that of `criterion` in red.
    """
    figure = Figure(figsize=(13, 7), dpi=110, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    figure.suptitle(title.replace("$", r"\$"), fontsize=14)
    for place, (name, (field, caption)) in enumerate(_PANELS.items(), start=1):
        axes = figure.add_subplot(2, 3, place)
        known = [c for c in candidates if c[field] is not None]
        ks = [c["k"] for c in known]
        axes.plot(ks, [c[field] for c in known], color=_BLUE, marker="o", markersize=4)
        if name in _BOUNDS and known:
            low, high = np.array([_BOUNDS[name](c) for c in known]).T
            axes.fill_between(ks, low, high, color=_BLUE, alpha=0.2, linewidth=0)
        if (k := choices[name]) is not None:
            axes.axvline(k, color=_RED if name == criterion else "#9aa0a6", linestyle="--")
            axes.annotate(f"k = {k}", (k, 1), xycoords=("data", "axes fraction"), va="top")
        axes.set_title(caption, fontsize=10)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.spines[["top", "right"]].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
