"""`lookalike project`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, cast

import typer

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


def project(
    collection: CollectionArgument,
    *,
    method: Annotated[str, typer.Option("--method", "-m", help="Such as umap or pca.")] = "umap",
    param: ParameterOption = None,
    dimensions: Annotated[int, typer.Option(min=2, max=3, help="2 or 3.")] = 2,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the map here as PNG.")
    ] = None,
    color: Annotated[
        str | None,
        typer.Option(help="Colour the map by this: metadata.label, clusters.kmeans."),
    ] = None,
    name: NameOption = None,
    filter: FilterOption = None,
    seed: SeedOption = 0,
    url: Url = None,
    api_key: ApiKey = None,
    json: Json = False,
) -> None:
    """Draw a collection as a map, on which similar images lie near each other."""
    if color is not None and output is None:
        raise typer.BadParameter("--color colours the PNG of --output, which is missing.")
    with connect(url, api_key) as client:
        images = client.collection(collection)
        job = images.project(
            method,
            read_parameters(param),
            name=name,
            dimensions=cast("Literal[2, 3]", dimensions),
            filter=read_filter(filter),
            seed=seed,
        )
        wait(job)
        projection = images.projection(name or method)
        if output is not None:
            output.write_bytes(images.projection_image(projection.name, color=color))
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
