"""A map as a picture: points in colour, or the images themselves."""

from __future__ import annotations

import base64
from typing import Any, Literal

import numpy as np

from lookalike_service.analysis.plot import plot_projection
from lookalike_service.analysis.thumbnail_map import choose_cells, draw_thumbnails
from lookalike_service.errors import InvalidParameters, UnknownClustering
from lookalike_service.store.protocol import Store
from lookalike_service.workflows import clustering
from lookalike_service.workflows.map_columns import column
from lookalike_service.workflows.map_points import MapPoints, read

DISTORTION = "distortion"
_MOST_NAMES = 20
_PAGE = 200


def draw(
    store: Store,
    collection: str,
    name: str,
    color: str | None,
    format: Literal["png", "svg"] = "png",
) -> bytes:
    """The projection as PNG or SVG, coloured by a field such as `metadata.label`, or by its distortion.

    Numbers of more than twenty values get a colour bar, everything else a legend. Raises
    UnknownProjection, InvalidField if no image on the map has the field.
    """
    found = read(store, collection, name)
    title = _title(collection, found)
    if color is None:
        return plot_projection(found.coordinates, title=title, format=format)
    if color == DISTORTION:
        legend = "distortion: share of neighbours that are not near here"
        return plot_projection(
            found.coordinates, title=title, values=found.distortion, legend=legend, format=format
        )
    values = column(found.payloads, color)
    if color.startswith("metadata.") and _continuous(values):
        shown = [np.nan if value is None else float(value) for value in values]
        return plot_projection(
            found.coordinates, title=title, values=shown, legend=color, format=format
        )
    group, _, run = color.partition(".")
    if group == "clusters":
        names = _cluster_names(store, collection, run)
        labels = ["none" if value is None else names.get(value, value) for value in values]
    else:
        labels = ["none" if value is None else str(value) for value in values]
    return plot_projection(
        found.coordinates, title=title, labels=labels, legend=color, format=format
    )


def draw_pictures(store: Store, collection: str, name: str) -> bytes:
    """The map made of thumbnails, as PNG: of images that share a spot, the one nearest to its middle.

    Raises UnknownProjection, InvalidParameters for a map in 3-D.
    """
    found = read(store, collection, name)
    if found.run.dimensions != 2:
        raise InvalidParameters("Thumbnails are drawn on maps of 2 dimensions alone.")
    cells = choose_cells(found.coordinates)
    ids = [found.ids[row] for row in cells.rows]
    pictures: dict[str, bytes] = {}
    for first in range(0, len(ids), _PAGE):
        for record in store.retrieve(collection, ids[first : first + _PAGE], thumbnails=True):
            pictures[record.id] = base64.b64decode(record.payload.get("thumbnail") or "")
    title = f"{_title(collection, found)}, {len(ids)} shown"
    return draw_thumbnails(cells, [pictures.get(id, b"") for id in ids], title=title)


def _cluster_names(store: Store, collection: str, run: str) -> dict[int, str]:
    """Name and number of each cluster that was named; the others are drawn by their number."""
    try:
        clusters = clustering.get(store, collection, run).clusters
    except UnknownClustering:  # labels that no run here gave
        return {}
    return {c.label: f"{c.name} · {c.label}" for c in clusters if c.name}


def _title(collection: str, found: MapPoints) -> str:
    return f"{collection}: {found.run.name} of {len(found.ids)} images"


def _continuous(values: list[Any]) -> bool:
    known = [value for value in values if value is not None]
    numbers = all(type(value) in (int, float) for value in known)
    return numbers and len(set(known)) > _MOST_NAMES
