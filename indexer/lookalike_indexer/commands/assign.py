"""`lookalike assign`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lookalike_indexer.options import (
    ApiKey,
    ClusteringArgument,
    CollectionArgument,
    Json,
    Url,
    connect,
)
from lookalike_indexer.output import print_json, print_table

_AT_ONCE = 32


def assign(
    collection: CollectionArgument,
    clustering: ClusteringArgument,
    images: Annotated[list[Path], typer.Argument(help="Image files.", exists=True, dir_okay=False)],
    *,
    url: Url = None,
    api_key: ApiKey = None,
    json: Json = False,
) -> None:
    """Say to which clusters images belong, and how surely; they are not indexed.

    Ends with 3 if some images could not be used.
    """
    rows: list[tuple[str, int | None, float | None, str | None]] = []
    with connect(url, api_key) as client:
        found = client.collection(collection)
        for at in range(0, len(images), _AT_ONCE):
            some = images[at : at + _AT_ONCE]
            items = found.assign(clustering, some)
            rows += [
                (str(path), one.label, one.confidence, one.error.detail if one.error else None)
                for path, one in zip(some, items, strict=True)
            ]
    columns = ("image", "label", "confidence", "error")
    if json:
        for row in rows:
            print_json(dict(zip(columns, row, strict=True)))
    else:
        print_table(columns, rows)
    if any(row[-1] is not None for row in rows):
        raise typer.Exit(3)
