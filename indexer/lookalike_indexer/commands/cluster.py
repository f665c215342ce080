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
        str, typer.Option("--algorithm", "-a", help="Such as kmeans, hdbscan or leiden.")
    ] = "kmeans",
    param: ParameterOption = None,
    reduction: Annotated[
        str | None,
        typer.Option(
            help="Reduce first: pca:50 components, pca:0.95 of the variance, whiten:50, random:64, umap:10."
        ),
    ] = None,
    criterion: Annotated[
        str | None,
        typer.Option(
            help="What chooses k from a range such as --param k=[2,20]: silhouette (default), elbow, "
            "calinski_harabasz, davies_bouldin or gap."
        ),
    ] = None,
    stability: Annotated[
        int | None, typer.Option(help="Measure stability with so many bootstrap samples.")
    ] = None,
    follow: Annotated[bool, typer.Option(help="Label images that are indexed later, too.")] = True,
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
            criterion=criterion,
            stability=stability,
            filter=read_filter(filter),
            seed=seed,
            follow=follow,
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
    if clustering.sweep is not None:
        found = clustering.sweep
        typer.echo(f"k = {found.k} by {found.criterion}, of {found.points} images:")
        print_table(
            ("k", "silhouette", "within", "gap", "calinski_harabasz", "davies_bouldin"),
            (
                (c.k, c.silhouette, c.within, c.gap, c.calinski_harabasz, c.davies_bouldin)
                for c in found.candidates
            ),
        )
    if clustering.diagnostics:
        typer.echo(describe(clustering.diagnostics))
