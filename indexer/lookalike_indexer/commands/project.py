"""`lookalike project`."""

from __future__ import annotations

from dataclasses import asdict
from json import dumps
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import typer

from lookalike import Collection
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
from lookalike_indexer.output import describe, print_json
from lookalike_indexer.waiting import wait

_PICTURES, _TABLES = (".png", ".svg"), (".json", ".arrow")


def project(
    collection: CollectionArgument,
    *,
    method: Annotated[
        str,
        typer.Option("--method", "-m", help="pca, umap, densmap, supervised_umap, tsne or pacmap."),
    ] = "umap",
    param: ParameterOption = None,
    dimensions: Annotated[int, typer.Option(min=2, max=3, help="2 or 3.")] = 2,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write the map here: .png, .svg, .json or .arrow."),
    ] = None,
    color: Annotated[
        str | None,
        typer.Option(help="Colour the map by this: metadata.label, clusters.kmeans, distortion."),
    ] = None,
    thumbnails: Annotated[
        bool, typer.Option("--thumbnails", help="Draw the images themselves, as PNG.")
    ] = False,
    column: Annotated[
        list[str] | None,
        typer.Option(help="A field to write beside the points: metadata.label (repeatable)."),
    ] = None,
    reduction: Annotated[
        str, typer.Option(help="Before the layout: auto, none, or such as pca:100.")
    ] = "auto",
    align_to: Annotated[
        str | None, typer.Option(help="A map on which images shall stay where they are.")
    ] = None,
    label_field: Annotated[
        str | None,
        typer.Option(help="Measure the map by these labels, such as metadata.label."),
    ] = None,
    name: NameOption = None,
    filter: FilterOption = None,
    seed: SeedOption = 0,
    url: Url = None,
    api_key: ApiKey = None,
    json: Json = False,
) -> None:
    """Draw a collection as a map, on which similar images lie near each other."""
    _check_output(output, color, column, thumbnails=thumbnails)
    with connect(url, api_key) as client:
        images = client.collection(collection)
        job = images.project(
            method,
            read_parameters(param),
            name=name,
            dimensions=cast("Literal[2, 3]", dimensions),
            reduction=None if reduction == "none" else reduction,
            align_to=align_to,
            label_field=label_field,
            filter=read_filter(filter),
            seed=seed,
        )
        wait(job)
        projection = images.projection(name or method)
        if output is not None:
            output.write_bytes(
                _written(
                    images,
                    projection.name,
                    output.suffix,
                    color=color,
                    columns=column or [],
                    thumbnails=thumbnails,
                )
            )
    if json:
        print_json(projection)
        return
    diagnostics = describe(projection.diagnostics)
    typer.echo(
        f"{projection.name}: {projection.points} images in {projection.dimensions}-D "
        f"in {projection.seconds:.1f} s{': ' if diagnostics else ''}{diagnostics}"
    )
    if output is not None:
        typer.echo(f"wrote {output}")


def _check_output(
    output: Path | None, color: str | None, columns: list[str] | None, *, thumbnails: bool
) -> None:
    """Raise BadParameter for a file that cannot be written, or options that it does not have."""
    suffix = None if output is None else output.suffix
    if suffix is not None and suffix not in (*_PICTURES, *_TABLES):
        raise typer.BadParameter(
            f"--output ends in {suffix or 'nothing'}; allowed: {', '.join((*_PICTURES, *_TABLES))}"
        )
    if color is not None and (suffix not in _PICTURES or thumbnails):
        raise typer.BadParameter("--color colours the points of a .png or .svg given by --output.")
    if thumbnails and suffix != ".png":
        raise typer.BadParameter("--thumbnails are drawn to a .png given by --output.")
    if columns and suffix not in _TABLES:
        raise typer.BadParameter("--column is for a .json or .arrow given by --output.")


def _written(
    images: Collection,
    name: str,
    suffix: str,
    *,
    color: str | None,
    columns: list[str],
    thumbnails: bool,
) -> bytes:
    """What a file of this suffix holds."""
    if suffix == ".arrow":
        return images.projection_arrow(name, columns=columns)
    if suffix == ".json":
        points: dict[str, Any] = asdict(images.projection(name, columns=columns))
        return dumps(points).encode()
    format = cast("Literal['png', 'svg']", suffix.removeprefix("."))
    return images.projection_image(name, color=color, thumbnails=thumbnails, format=format)
