"""`lookalike export`."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path
from typing import Annotated, Literal, cast

import typer

from lookalike import Collection
from lookalike_indexer.options import (
    ApiKey,
    ClusteringArgument,
    CollectionArgument,
    Json,
    Url,
    connect,
)
from lookalike_indexer.output import print_json

Pictures = Literal["any", "original", "thumbnail"]


def export(
    collection: CollectionArgument,
    clustering: ClusteringArgument,
    output: Annotated[
        Path,
        typer.Argument(
            help="A file that ends in .csv, .jsonl, .parquet or .zip, or a folder for the pictures."
        ),
    ],
    *,
    label: Annotated[
        list[int] | None,
        typer.Option("--label", "-l", help="This cluster alone, -1 for noise; repeatable."),
    ] = None,
    images: Annotated[
        str,
        typer.Option(
            help="Of a zip or folder: original files, where the service may read them, thumbnail, or any, "
            "thumbnails where there is no original."
        ),
    ] = "any",
    url: Url = None,
    api_key: ApiKey = None,
    json: Json = False,
) -> None:
    """Write a clustering, or some of its clusters, as a table, or its pictures as a zip or into folders.

    Beside the pictures, images.jsonl lists all images, also those without a picture.
    """
    with connect(url, api_key) as client:
        found = client.collection(collection)
        wanted = cast("Pictures", images)
        if output.suffix:
            found.export(clustering, output, label=label, images=wanted)
        else:
            _to_folder(found, clustering, output, label, wanted)
    if json:
        print_json({"written": str(output)})
    else:
        typer.echo(f"wrote {output}")


def _to_folder(
    collection: Collection, clustering: str, folder: Path, label: list[int] | None, images: Pictures
) -> None:
    if folder.exists() and any(folder.iterdir()):
        raise typer.BadParameter(f"{folder} is not empty.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".export-") as temporary:
        archive = Path(temporary) / "pictures.zip"
        collection.export(clustering, archive, label=label, images=images)
        with zipfile.ZipFile(archive) as pictures:
            pictures.extractall(folder)  # which leads no path out of the folder
