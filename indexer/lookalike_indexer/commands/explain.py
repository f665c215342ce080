"""`lookalike explain`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from lookalike import Explanation
from lookalike.explaining import Method, Target, TargetOptions
from lookalike_indexer.options import ApiKey, Json, Url, connect
from lookalike_indexer.output import print_json

_OF_TARGET = "Options of a target"


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
    target: Annotated[
        Target | None,
        typer.Option(
            help="What to explain; default: similarity to the other image, or self.",
        ),
    ] = None,
    method: Annotated[
        Method | None,
        typer.Option(
            help="How feature maps become a heat map; default: gradcam.",
        ),
    ] = None,
    layer: Annotated[
        str | None, typer.Option(help="Layer of the network; default: its last feature maps.")
    ] = None,
    faithfulness: Annotated[
        bool, typer.Option(help="Judge each map against maps of noise.")
    ] = True,
    collection: Annotated[
        str | None,
        typer.Option("--collection", "-c", help="Collection.", rich_help_panel=_OF_TARGET),
    ] = None,
    id: Annotated[
        str | None,
        typer.Option(help="similarity: an indexed image.", rich_help_panel=_OF_TARGET),
    ] = None,
    text: Annotated[
        str | None, typer.Option(help="text: what to look for.", rich_help_panel=_OF_TARGET)
    ] = None,
    class_: Annotated[
        str | None,
        typer.Option(
            "--class",
            help="class: number or name; default: the most likely.",
            rich_help_panel=_OF_TARGET,
        ),
    ] = None,
    projection: Annotated[
        str | None,
        typer.Option(help="component: a PCA projection.", rich_help_panel=_OF_TARGET),
    ] = None,
    component: Annotated[
        int | None,
        typer.Option(
            help="component: from 1, negative for its negative side.", rich_help_panel=_OF_TARGET
        ),
    ] = None,
    clustering: Annotated[
        str | None,
        typer.Option(
            help="cluster: the clustering; component: one with a reduction.",
            rich_help_panel=_OF_TARGET,
        ),
    ] = None,
    cluster: Annotated[
        int | None, typer.Option(help="cluster: its label.", rich_help_panel=_OF_TARGET)
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            help="cluster: another label, 'nearest' or 'none'; default: nearest.",
            rich_help_panel=_OF_TARGET,
        ),
    ] = None,
    neighbours: Annotated[
        int | None,
        typer.Option(help="neighbours: how many; default: 10.", rich_help_panel=_OF_TARGET),
    ] = None,
    comparison: Annotated[
        str | None,
        typer.Option(help="comparison: of two sets of images.", rich_help_panel=_OF_TARGET),
    ] = None,
    side: Annotated[
        Literal["first", "second"] | None,
        typer.Option(
            help="comparison: the set to be explained as; default: second.",
            rich_help_panel=_OF_TARGET,
        ),
    ] = None,
    model: Annotated[str | None, typer.Option(help="Encoder.", metavar="SPEC")] = None,
    url: Url = None,
    api_key: ApiKey = None,
    json: Json = False,
) -> None:
    """Show where in an image its embedding, its likeness to another, or any target comes from."""
    if output is None and not json:
        raise typer.BadParameter("Say what to make of it: --output FILE, --json or both.")
    options: TargetOptions = {
        "method": method, "layer": layer, "collection": collection, "id": id, "text": text,
        "class_": class_, "projection": projection, "component": component, "clustering": clustering,
        "cluster": cluster, "against": against, "neighbours": neighbours, "comparison": comparison,
        "side": side,
    }  # fmt: skip
    with connect(url, api_key) as client:
        found = client.explain(
            image, reference, target=target, model=model, faithfulness=faithfulness, **options
        )
        if output is not None:
            # Judged once more, the same way, since the picture says the verdict too.
            png = client.explain(
                image,
                reference,
                target=target,
                model=model,
                faithfulness=faithfulness,
                as_png=True,
                **options,
            )
            output.write_bytes(png)
    if json:
        print_json(found)
        return
    _say(found)
    typer.echo(f"wrote {output}")


def _say(found: Explanation) -> None:
    """The target's value, and what to think of each map."""
    what = "similarity" if found.similarity is not None else found.target
    about = ", ".join(f"{name} {value}" for name, value in found.about.items())
    typer.echo(f"{what} {found.value:.4f}" + (f" ({about})" if about else ""))
    for name, drawn in (("image", found.map), ("reference", found.reference_map)):
        if drawn is None:
            continue
        if drawn.empty:
            typer.echo(f"nothing in the {name} speaks for the target: its map is empty")
        elif drawn.faithfulness is not None:
            judged = drawn.faithfulness
            typer.echo(
                f"the map of the {name} is {judged.verdict}: score {judged.score:.3f}, by chance up to "
                f"{judged.chance:.3f}"
            )
