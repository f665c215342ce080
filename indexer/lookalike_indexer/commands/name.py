"""`lookalike name`."""

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
    read_pairs,
)
from lookalike_indexer.output import print_json, print_table


def name(
    collection: CollectionArgument,
    clustering: ClusteringArgument,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[LABEL=NAME]...", help="Names, such as 0=cats.")
    ] = None,
    *,
    auto: Annotated[
        bool,
        typer.Option("--auto", help="Name the others by words, where the encoder embeds text too."),
    ] = False,
    words: Annotated[
        Path | None,
        typer.Option(
            exists=True, dir_okay=False, help="File with a word a line to choose from, for --auto."
        ),
    ] = None,
    template: Annotated[
        str | None, typer.Option(help="What a word is put into, default 'a photo of {}'.")
    ] = None,
    description: Annotated[
        str | None, typer.Option(help="Describe the clustering; '' takes that away.")
    ] = None,
    url: Url = None,
    api_key: ApiKey = None,
    json: Json = False,
) -> None:
    """Name the clusters of a clustering, and show their names."""
    chosen = _labels(names or [])
    if not auto and (words or template):
        raise typer.BadParameter("--words and --template are for --auto.")
    with connect(url, api_key) as client:
        images = client.collection(collection)
        run = images.describe_clusters(clustering, chosen, description=description)
        if auto:
            listed = None if words is None else words.read_text().split("\n")
            given = None if listed is None else [word for line in listed if (word := line.strip())]
            images.name_clusters(clustering, given, template=template)
            run = images.clustering(clustering)
    if json:
        print_json(run)
        return
    if run.description:
        typer.echo(run.description)
    print_table(("label", "size", "name"), ((c.label, c.size, c.name) for c in run.clusters))


def _labels(texts: list[str]) -> dict[int, str]:
    pairs = read_pairs("name", texts, "=")
    try:
        return {int(label): text for label, text in pairs.items()}
    except ValueError:
        raise typer.BadParameter(
            f"name takes LABEL=NAME with the label of a cluster, not {', '.join(pairs)}."
        ) from None
