"""densMAP: UMAP whose groups are as dense on the map as they are in truth."""

from __future__ import annotations

from lookalike_service.analysis.projection.layout import Drawing, Layout
from lookalike_service.analysis.projection.umap import lay_out


def fit(drawing: Drawing) -> Layout:
    """As UMAP; `dens_lambda` says how much density counts."""
    return lay_out(drawing, density=drawing.parameters["dens_lambda"])
