"""`lookalike cluster`."""

from __future__ import annotations

from typing import Annotated

import typer

from lookalike import Clustering
from lookalike_indexer.options import (
    ApiKey,
    CollectionArgument,
    FilterOption,
    Json,
    NameOption,
    ParameterOption,
    SeedOption,
    Url,
    connect,
    read_filter,
    read_parameters,
)
from lookalike_indexer.output import describe, print_json, print_table
from lookalike_indexer.waiting import wait


def cluster(
    collection: CollectionArgument,
    *,
    algorithm: Annotated[
        str, typer.Option("--algorithm", "-a", help="Such as kmeans or hdbscan.")
    ] = "kmeans",
    param: ParameterOption = None,
    reduction: Annotated[
        str | None, typer.Option(help="Reduce first: pca:50 components, pca:0.95 of the variance.")
    ] = None,
    name: NameOption = None,
    filter: FilterOption = None,
    seed: SeedOption = 0,
    url: Url = None,
    api_key: ApiKey = None,
    json: Json = False,
) -> None:
    """Cluster a collection; labels come with its images and search hits from then on."""
    with connect(url, api_key) as client:
        images = client.collection(collection)
        job = images.cluster(
            algorithm,
            read_parameters(param),
            name=name,
            reduction=reduction,
            filter=read_filter(filter),
            seed=seed,
        )
        wait(job)
        clustering = images.clustering(name or algorithm)
    if json:
        print_json(clustering)
    else:
        _print(clustering)


def _print(clustering: Clustering) -> None:
    typer.echo(
        f"{clustering.name}: {clustering.points} images in {len(clustering.clusters)} clusters, "
        f"{clustering.noise} in none, in {clustering.seconds:.1f} s"
    )
    print_table(
        ("label", "size", "spread", "medoid"),
        ((c.label, c.size, c.spread, c.medoid) for c in clustering.clusters),
    )
    if clustering.diagnostics:
        typer.echo(describe(clustering.diagnostics))
