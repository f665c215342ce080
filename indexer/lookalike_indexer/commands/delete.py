"""`lookalike delete`."""

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
from lookalike_indexer.output import print_json


def delete(
    collection: CollectionArgument,
    ids: Annotated[list[str] | None, typer.Argument(help="Images to delete.")] = None,
    *,
    filter: FilterOption = None,
    everything: Annotated[
        bool, typer.Option("--everything", help="Drop the collection with all its images.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    url: Url = None,
    api_key: ApiKey = None,
    json: Json = False,
) -> None:
    """Delete images by id or filter, or with --everything a whole collection."""
    if sum((bool(ids), filter is not None, everything)) != 1:
        raise typer.BadParameter("Give ids, --filter or --everything: exactly one of the three.")
    condition = read_filter(filter)
    with connect(url, api_key) as client:
        images = client.collection(collection)
        if not everything:
            deleted = images.delete(ids or None, filter=condition)
        else:
            deleted = images.describe().points
            if not yes:
                typer.confirm(f"Drop '{collection}' with {deleted} images?", abort=True, err=True)
            client.delete_collection(collection)
    if json:
        print_json({"deleted": deleted})
    else:
        typer.echo(f"{deleted} images deleted")
