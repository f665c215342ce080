"""`lookalike search`."""

from __future__ import annotations

from typing import Annotated

import typer

from lookalike_indexer.options import (
    ApiKey,
    CollectionOption,
    FilterOption,
    Json,
    Url,
    connect,
    read_filter,
)
from lookalike_indexer.output import print_json, print_table


def search(
    image: Annotated[str | None, typer.Argument(help="Image file to search by.")] = None,
    *,
    collection: CollectionOption,
    id: Annotated[str | None, typer.Option(help="Indexed image to search by instead.")] = None,
    text: Annotated[str | None, typer.Option(help="Words to search by instead.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many hits.")] = 10,
    offset: Annotated[int, typer.Option(help="Hits to skip.")] = 0,
    score_threshold: Annotated[
        float | None, typer.Option(help="Lowest cosine, -1 to 1, of a hit.")
    ] = None,
    filter: FilterOption = None,
    url: Url = None,
    api_key: ApiKey = None,
    json: Json = False,
) -> None:
    """Show the images of a collection most like a query, best first; the score is the cosine."""
    if sum(query is not None for query in (image, id, text)) != 1:
        raise typer.BadParameter("Give an image file, --id or --text: exactly one of them.")
    with connect(url, api_key) as client:
        hits = client.collection(collection).search(
            image,
            id=id,
            text=text,
            limit=limit,
            offset=offset,
            score_threshold=score_threshold,
            filter=read_filter(filter),
        )
    if json:
        for hit in hits:
            print_json(hit)
        return
    print_table(
        ("score", "id", "source", "label", "clusters"),
        (
            (
                f"{hit.score:.4f}",
                hit.id,
                hit.source,
                hit.metadata.get("label"),
                _clusters(hit.clusters),
            )
            for hit in hits
        ),
    )


def _clusters(clusters: dict[str, int]) -> str:
    return ", ".join(f"{name} {label}" for name, label in sorted(clusters.items()))
