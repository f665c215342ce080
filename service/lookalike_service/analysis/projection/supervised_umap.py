"""Supervised UMAP: points of the same label are drawn together."""

from __future__ import annotations

from lookalike_service.analysis.projection.fuzzy_graph import nearer_of_a_kind
from lookalike_service.analysis.projection.layout import Drawing, Layout
from lookalike_service.analysis.projection.umap import lay_out


def fit(drawing: Drawing) -> Layout:
    """As UMAP; `target_weight` says how much the labels count, which the drawing must have."""
    labels, weight = drawing.labels, drawing.parameters["target_weight"]
    assert labels is not None, "methods.project() has seen to it"  # noqa: S101 - narrows the type
    return lay_out(drawing, weigh=lambda graph: nearer_of_a_kind(graph, labels, weight))
