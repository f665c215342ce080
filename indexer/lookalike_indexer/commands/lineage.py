"""`lookalike lineage`."""

from __future__ import annotations

from typing import Annotated

import typer

from lookalike import Lineage
from lookalike_indexer.options import (
    ApiKey,
    ClusteringArgument,
    CollectionArgument,
    Json,
    Url,
    connect,
)
from lookalike_indexer.output import describe, print_json, print_table


def lineage(
    collection: CollectionArgument,
    clustering: ClusteringArgument,
    later: Annotated[str, typer.Argument(help="The clustering to compare it with.")],
    *,
    url: Url = None,
    api_key: ApiKey = None,
    json: Json = False,
) -> None:
    """Say what became of the clusters of one clustering in another: kept, moved, merged, split."""
    with connect(url, api_key) as client:
        found = client.collection(collection).lineage(clustering, later)
    if json:
        print_json(found)
    else:
        _print(found)


def _print(found: Lineage) -> None:
    typer.echo(
        f"{found.run.name} to {found.later.name}: {found.points} images in both, {found.only} and "
        f"{found.only_later} in one alone; {describe(found.figures)}"
    )
    clusters = {cluster.label: cluster for cluster in found.run.clusters}
    flows = {(flow.label, flow.later): flow.images for flow in found.flows}
    print_table(
        ("cluster", "name", "images", "became", "of these images"),
        (
            (
                fate.label,
                clusters[fate.label].name,
                clusters[fate.label].size,
                f"{fate.event} {', '.join(map(str, fate.into))}".strip(),
                ", ".join(str(flows[fate.label, later]) for later in fate.into),
            )
            for fate in found
        ),
    )
    if found.new:
        typer.echo(f"New in {found.later.name}: {', '.join(map(str, found.new))}")
