"""`lookalike compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lookalike import Comparison, Estimate
from lookalike_indexer.options import (
    ApiKey,
    CollectionArgument,
    Json,
    SeedOption,
    Url,
    connect,
    read_filter,
)
from lookalike_indexer.output import print_json, print_table
from lookalike_indexer.waiting import wait

_SHOWN = 10


def compare(
    collection: CollectionArgument,
    *,
    first: Annotated[
        str | None,
        typer.Option(help="Qdrant filter as JSON of the reference, such as the real images."),
    ] = None,
    second: Annotated[
        str | None,
        typer.Option(
            help="Filter of what is compared with it; default: what --first does not match."
        ),
    ] = None,
    other: Annotated[
        str | None,
        typer.Option(help="Take the second set from this collection, of the same encoder."),
    ] = None,
    first_title: Annotated[str, typer.Option(help="What to call the first set.")] = "first",
    second_title: Annotated[str, typer.Option(help="What to call the second set.")] = "second",
    clustering: Annotated[
        str | None,
        typer.Option(help="Clusters to look for the difference in; default: found in both sets."),
    ] = None,
    clusters: Annotated[
        int | None, typer.Option(help="How many clusters to find, without --clustering.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the report here as HTML.")
    ] = None,
    name: Annotated[str, typer.Option(help="Name to keep the comparison under.")] = "comparison",
    seed: SeedOption = 0,
    url: Url = None,
    api_key: ApiKey = None,
    json: Json = False,
) -> None:
    """Measure how different two sets of images are, where they differ and by what."""
    reference = {"title": first_title, "filter": read_filter(first)}
    compared = {"title": second_title, "filter": read_filter(second), "collection": other}
    with connect(url, api_key) as client:
        images = client.collection(collection)
        job = images.compare(
            reference,
            compared,
            name=name,
            clustering=clustering,
            clusters=clusters,
            seed=seed,
        )
        wait(job)
        found = images.comparison(name)
        if output is not None:
            output.write_bytes(images.comparison_page(name))
    if json:
        print_json(found)
    else:
        _print(found)
        if output is not None:
            typer.echo(f"wrote {output}")


def _print(found: Comparison) -> None:
    first, second = found.first, found.second
    typer.echo(
        f"{first.title} ({first.points} images) against {second.title} ({second.points}), "
        f"in {found.seconds:.1f} s"
    )
    figures, frechet, classifier = found.figures, found.figures.frechet, found.figures.separability
    rows: list[tuple[str, Estimate, str]] = [
        ("classifier AUC", classifier.auc, f"p {classifier.p:.2g}"),
        ("Fréchet distance", frechet.distance, f"{frechet.no_difference:.4g} without a difference"),
        ("MMD²", figures.mmd, f"p {figures.mmd_p:.2g}"),
        ("KID", figures.kid, ""),
        ("precision", figures.precision, f"of {second.title} where {first.title} is"),
        ("recall", figures.recall, f"of {first.title} where {second.title} is"),
        ("density", figures.density, ""),
        ("coverage", figures.coverage, f"of {first.title} with {second.title} near"),
    ]
    print_table(
        ("figure", "value", "low", "high", ""),
        ((name, one.value, one.low, one.high, note) for name, one, note in rows),
    )
    print_table(
        ("cluster", first.title, second.title, "difference", "p"),
        (
            (share.label, share.first, share.second, share.difference.value, share.p)
            for share in found.clusters[:_SHOWN]
        ),
    )
