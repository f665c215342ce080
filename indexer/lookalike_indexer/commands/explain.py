"""`lookalike explain`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lookalike_indexer.options import ApiKey, Json, Url, connect
from lookalike_indexer.output import print_json


def explain(
    image: Annotated[Path, typer.Argument(help="Image file.")],
    reference: Annotated[
        Path | None, typer.Argument(help="Image file to explain the likeness to.")
    ] = None,
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write the overlay here as PNG; of two images, both."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="Encoder.", metavar="SPEC")] = None,
    url: Url = None,
    api_key: ApiKey = None,
    json: Json = False,
) -> None:
    """Show with Grad-CAM where in an image its embedding, or its likeness to another, comes from."""
    if output is None and not json:
        raise typer.BadParameter("Say what to make of it: --output FILE, --json or both.")
    with connect(url, api_key) as client:
        explanation = client.explain(image, reference, model=model)
        if output is not None:
            output.write_bytes(client.explain(image, reference, model=model, as_png=True))
    if json:
        print_json(explanation)
        return
    if explanation.similarity is not None:
        typer.echo(f"similarity {explanation.similarity:.4f}")
    maps = [("image", explanation.map), ("reference", explanation.reference_map)]
    for name, found in maps:
        if found is not None and found.empty:
            typer.echo(f"nothing in the {name} speaks for the target: its map is empty")
    typer.echo(f"wrote {output}")
