"""`lookalike train`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from lookalike import Collection, Lookalike, Training
from lookalike_indexer.options import (
    ApiKey,
    CollectionArgument,
    FilterOption,
    Json,
    SeedOption,
    Url,
    connect,
    read_filter,
)
from lookalike_indexer.output import describe, print_json
from lookalike_indexer.waiting import wait

train = typer.Typer(
    no_args_is_help=True, help="Train an encoder of your own on a collection's pictures."
)

TrainedName = Annotated[str, typer.Option(help="Name of the model, which must be free.")]
EpochsOption = Annotated[int | None, typer.Option(help="Most passes over the images.")]
HeldOutOption = Annotated[
    float | None, typer.Option(help="Share of the images that are measured with, not trained on.")
]
LearningRateOption = Annotated[float | None, typer.Option(help="Step size of the optimizer.")]


@train.command()
def autoencoder(
    pictures: Annotated[
        str,
        typer.Argument(
            metavar="COLLECTION|FOLDER",
            help="Collection; or, written with a slash, a folder, which is indexed first into a "
            "collection of its name.",
        ),
    ],
    *,
    dim: Annotated[int | None, typer.Option(help="Length of the embedding, such as 150.")] = None,
    size: Annotated[int | None, typer.Option(help="Side of what it sees, in pixels.")] = None,
    epochs: EpochsOption = None,
    patience: Annotated[
        int | None, typer.Option(help="Stop after so many epochs that brought nothing.")
    ] = None,
    held_out: HeldOutOption = None,
    batch_size: Annotated[int | None, typer.Option(help="Pictures in one step.")] = None,
    learning_rate: LearningRateOption = None,
    name: TrainedName = "autoencoder",
    sheet: Annotated[
        Path | None,
        typer.Option(help="Write held-out pictures above what it made of them here, as PNG."),
    ] = None,
    filter: FilterOption = None,
    seed: SeedOption = 0,
    url: Url = None,
    api_key: ApiKey = None,
    json: Json = False,
) -> None:
    """Train a convolutional autoencoder; it needs no labels.

    What is left out is the service's default.
    """
    with connect(url, api_key) as client:
        collection = _collection(client, pictures)
        job = collection.train_autoencoder(
            name=name,
            dim=dim,
            size=size,
            epochs=epochs,
            patience=patience,
            held_out=held_out,
            batch_size=batch_size,
            learning_rate=learning_rate,
            filter=read_filter(filter),
            seed=seed,
        )
        wait(job)
        trained = collection.training(name)
        if sheet is not None:
            sheet.write_bytes(collection.training_image(name))
    _print(trained, json=json)


@train.command()
def head(
    collection: CollectionArgument,
    *,
    field: Annotated[
        str, typer.Option(help="Where the labels are, such as metadata.label.")
    ] = "metadata.label",
    form: Annotated[
        Literal["linear", "mlp"] | None, typer.Option(help="One layer, or two with a ReLU.")
    ] = None,
    dim: Annotated[int | None, typer.Option(help="Length of the new embedding.")] = None,
    epochs: EpochsOption = None,
    temperature: Annotated[
        float | None, typer.Option(help="Of the loss; lower heeds the nearest more.")
    ] = None,
    held_out: HeldOutOption = None,
    learning_rate: LearningRateOption = None,
    name: TrainedName = "head",
    filter: FilterOption = None,
    seed: SeedOption = 0,
    url: Url = None,
    api_key: ApiKey = None,
    json: Json = False,
) -> None:
    """Train a projection head on the collection's own vectors, from labels.

    What is left out is the service's default.
    """
    with connect(url, api_key) as client:
        images = client.collection(collection)
        job = images.train_head(
            field,
            name=name,
            form=form,
            dim=dim,
            epochs=epochs,
            temperature=temperature,
            held_out=held_out,
            learning_rate=learning_rate,
            filter=read_filter(filter),
            seed=seed,
        )
        wait(job)
        trained = images.training(name)
    _print(trained, json=json)


def _collection(client: Lookalike, pictures: str) -> Collection:
    """The named collection; a path's pictures are indexed into one of the folder's name first."""
    if os.sep not in pictures and pictures not in {".", ".."}:
        return client.collection(pictures)
    folder = Path(pictures).resolve()
    if not folder.is_dir():
        raise typer.BadParameter(
            f"'{pictures}' is no folder; a collection has no slash in its name."
        )
    collection = client.collection(folder.name)
    report = collection.index(folder, progress=None)
    typer.echo(
        f"{collection.name}: {report.total} pictures, {report.failed} of them could not be indexed",
        err=True,
    )
    return collection


def _print(training: Training, *, json: bool) -> None:
    if json:
        print_json(training)
        return
    typer.echo(
        f"{training.model}\n{training.points} images, {training.unused} unused; "
        f"{len(training.curve)} epochs, the best {training.best_epoch}, in {training.seconds:.1f} s"
    )
    typer.echo(describe(training.measures))
