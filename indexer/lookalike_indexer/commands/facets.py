"""`lookalike facets`."""

from __future__ import annotations

from typing import Annotated

import typer

from lookalike_indexer.options import (
    ApiKey,
    CollectionArgument,
    FilterOption,
    Json,
    Url,
    connect,
    read_filter,
)
from lookalike_indexer.output import print_json, print_table


def facets(
    collection: CollectionArgument,
    field: Annotated[
        str, typer.Argument(help="clusters.NAME, or an indexed field such as metadata.label.")
    ],
    *,
    filter: FilterOption = None,
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many values.")] = 100,
    url: Url = None,
    api_key: ApiKey = None,
    json: Json = False,
) -> None:
    """Count the images that hold each value of a field, the most frequent first."""
    with connect(url, api_key) as client:
        found = client.collection(collection).facets(field, filter=read_filter(filter), limit=limit)
    if json:
        for one in found:
            print_json(one)
    else:
        print_table(("value", "images"), ((str(one.value), one.count) for one in found))
