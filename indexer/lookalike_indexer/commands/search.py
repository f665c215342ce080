"""`lookalike search`."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from lookalike import Hit, Region, SearchResult
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

_EXAMPLES = "Examples"
_CHOICE = "Which hits"


def search(
    image: Annotated[str | None, typer.Argument(help="Image file to search by.")] = None,
    *,
    collection: CollectionOption,
    id: Annotated[str | None, typer.Option(help="Indexed image to search by instead.")] = None,
    text: Annotated[str | None, typer.Option(help="Words to search by instead.")] = None,
    positive: Annotated[
        list[str] | None,
        typer.Option(
            help="Indexed image to find the like of; repeatable.", rich_help_panel=_EXAMPLES
        ),
    ] = None,
    negative: Annotated[
        list[str] | None,
        typer.Option(
            help="With --positive: indexed image to keep away from.", rich_help_panel=_EXAMPLES
        ),
    ] = None,
    strategy: Annotated[
        Literal["average_vector", "best_score"] | None,
        typer.Option(help="What several examples mean.", rich_help_panel=_EXAMPLES),
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(
            metavar="LEFT,TOP,WIDTH,HEIGHT",
            help="Search by this part of the image, in pixels; with --id, by that of its thumbnail.",
        ),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many hits, or groups.")] = 10,
    offset: Annotated[int, typer.Option(help="Hits, or groups, to skip.")] = 0,
    score_threshold: Annotated[
        float | None, typer.Option(help="Lowest cosine, -1 to 1, of a hit.")
    ] = None,
    filter: FilterOption = None,
    group_by: Annotated[
        str | None,
        typer.Option(
            help="One hit for each value of a field, such as metadata.patient.",
            rich_help_panel=_CHOICE,
        ),
    ] = None,
    group_size: Annotated[
        int | None, typer.Option(help="Hits of each group.", rich_help_panel=_CHOICE)
    ] = None,
    diversity: Annotated[
        float | None,
        typer.Option(help="0 to 1: avoid hits like each other.", rich_help_panel=_CHOICE),
    ] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Compare with every image.", rich_help_panel=_CHOICE)
    ] = False,
    ef: Annotated[
        int | None,
        typer.Option(help="Effort of a search that is not exact.", rich_help_panel=_CHOICE),
    ] = None,
    url: Url = None,
    api_key: ApiKey = None,
    json: Json = False,
) -> None:
    """Show the images of a collection most like a query, best first; the score is the cosine.

    Once `lookalike calibrate` has run, each hit says what its score means.
    """
    if sum(query is not None for query in (image, id, text, positive)) != 1:
        raise typer.BadParameter(
            "Give an image file, --id, --text or --positive: exactly one of them."
        )
    with connect(url, api_key) as client:
        hits = client.collection(collection).search(
            image,
            id=id,
            text=text,
            positive=positive,
            negative=negative,
            strategy=strategy,
            region=None if region is None else _region(region),
            limit=limit,
            offset=offset,
            score_threshold=score_threshold,
            filter=read_filter(filter),
            group_by=group_by,
            group_size=group_size,
            diversity=diversity,
            exact=exact,
            ef=ef,
        )
    _say_what_it_rests_on(hits, collection)
    if json:
        for hit in hits:
            print_json(hit)
    else:
        _print(hits)


def _region(text: str) -> Region:
    try:
        left, top, width, height = (float(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(
            f"--region takes LEFT,TOP,WIDTH,HEIGHT in pixels, not {text!r}."
        ) from None
    return Region(left, top, width, height)


def _say_what_it_rests_on(hits: SearchResult, collection: str) -> None:
    if hits.made_from == "thumbnail":
        typer.echo("The region was cut from the image's thumbnail.", err=True)
    if hits.calibration is not None and hits.calibration.stale:
        typer.echo(
            f"The scores were calibrated on {hits.calibration.points} images, and their number has changed "
            f"much since: `lookalike calibrate {collection}` does it again.",
            err=True,
        )


def _print(hits: SearchResult) -> None:
    columns: dict[str, list[object]] = {"score": [f"{hit.score:.4f}" for hit in hits]}
    if hits.calibration is not None:
        columns["verdict"] = [hit.verdict for hit in hits]
        columns["chance"] = [f"{hit.chance:.2g}" for hit in hits if hit.chance is not None]
    if any(hit.group is not None for hit in hits):
        columns["group"] = [str(hit.group) for hit in hits]
    columns["id"] = [hit.id for hit in hits]
    columns["source"] = [hit.source for hit in hits]
    columns["label"] = [hit.metadata.get("label") for hit in hits]
    columns["clusters"] = [_clusters(hit) for hit in hits]
    print_table(tuple(columns), zip(*columns.values(), strict=True))


def _clusters(hit: Hit) -> str:
    return ", ".join(f"{name} {label}" for name, label in sorted(hit.clusters.items()))
