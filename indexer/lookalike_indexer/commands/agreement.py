"""`lookalike agreement`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from lookalike import Agreement
from lookalike_indexer.options import (
    ApiKey,
    ClusteringArgument,
    CollectionArgument,
    Json,
    Url,
    connect,
)
from lookalike_indexer.output import describe, print_json, print_table

_SHOWN = 5


def agreement(
    collection: CollectionArgument,
    clustering: ClusteringArgument,
    field: Annotated[str, typer.Argument(help="A field of the metadata, such as metadata.label.")],
    *,
    value: Annotated[
        str | None, typer.Option(help="Also find the clusters that hold this value.")
    ] = None,
    precision_weight: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Weight of precision in their quality; recall has the rest."
        ),
    ] = None,
    url: Url = None,
    api_key: ApiKey = None,
    json: Json = False,
) -> None:
    """Compare a clustering with a field of the metadata: which cluster is which value, and how purely."""
    with connect(url, api_key) as client:
        found = client.collection(collection).agreement(
            clustering, field, value=value, precision_weight=precision_weight
        )
    if json:
        print_json(found)
    else:
        _print(found)


def _print(found: Agreement) -> None:
    left_out = f", {found.without} without a value left out" if found.without else ""
    typer.echo(f"{found.points} images{left_out}: {describe(found.figures)}")
    matched = {pair.label: pair.value for pair in found.matching}
    print_table(
        ("cluster", "images", "matched", "its values"),
        (
            (label, sum(counts), matched.get(label), _most_frequent(found.values, counts))
            for label, counts in zip(found.clusters, found.confusion, strict=True)
        ),
    )
    if found.independence is not None:
        test = found.independence
        typer.echo(
            f"Independent of the clusters with p {test.p:.3g}; Cramér's V {test.cramers_v:.3f}"
        )
    if found.holding is not None:
        held = found.holding
        typer.echo(
            f"{held.value} is held by clusters {', '.join(map(str, held.clusters)) or 'none'}: precision "
            f"{held.precision:.3f}, recall {held.recall:.3f}, quality {held.quality:.3f}"
        )


def _most_frequent(values: Sequence[object], counts: Sequence[int]) -> str:
    """The values of a cluster's images with how many have each, as far as a line may hold them."""
    held = sorted(
        (-count, str(value)) for value, count in zip(values, counts, strict=True) if count
    )
    shown = ", ".join(f"{value} {-count}" for count, value in held[:_SHOWN])
    return f"{shown}, …" if len(held) > _SHOWN else shown
