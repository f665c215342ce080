"""`lookalike migrate`."""

from __future__ import annotations

from typing import Annotated

import typer

from lookalike import Collection, Migration, MigrationReport
from lookalike_indexer.options import ApiKey, CollectionArgument, Json, SeedOption, Url, connect
from lookalike_indexer.output import print_json, print_table
from lookalike_indexer.waiting import wait

_STATES = {
    "filling": "images are being embedded anew, or were until the job ended early",
    "ready": "compared, and ready to be cut over",
    "cut_over": "cut over; the former vectors are kept",
    "finished": "finished; the former vectors are dropped",
}
_SHOWN = 20


def migrate(
    collection: CollectionArgument,
    *,
    model: Annotated[
        str | None,
        typer.Option(
            help="Encoder to move to: embed the images by it and compare. Repeat to go on."
        ),
    ] = None,
    sample: Annotated[
        int | None, typer.Option(help="Images to compare the two encoders by.")
    ] = None,
    seed: SeedOption = 0,
    cut_over: Annotated[
        bool,
        typer.Option("--cut-over", help="Let the new encoder answer; with --model, in the end."),
    ] = False,
    allow_missing: Annotated[
        bool,
        typer.Option(
            "--allow-missing", help="Cut over although images have no new vector: lose them."
        ),
    ] = False,
    roll_back: Annotated[
        bool, typer.Option("--roll-back", help="Let the former encoder answer again.")
    ] = False,
    finish: Annotated[
        bool, typer.Option("--finish", help="Drop the former vectors after cutting over.")
    ] = False,
    abandon: Annotated[
        bool, typer.Option("--abandon", help="Stop, and drop the new vectors.")
    ] = False,
    url: Url = None,
    api_key: ApiKey = None,
    json: Json = False,
) -> None:
    """Move a collection to another encoder while it goes on answering.

    Without options, show where its migration stands. The steps are --model, --cut-over, --finish.
    """
    if sum((cut_over, roll_back, finish, abandon)) > 1:
        raise typer.BadParameter(
            "One of --cut-over, --roll-back, --finish and --abandon at a time."
        )
    if model is not None and (roll_back or finish or abandon):
        raise typer.BadParameter(
            "--model begins a migration; the only step to go with it is --cut-over."
        )
    if allow_missing and not cut_over:
        raise typer.BadParameter("--allow-missing goes with --cut-over.")
    with connect(url, api_key) as client:
        images = client.collection(collection)
        if abandon:
            images.delete_migration()
            typer.echo(f"{collection}: the migration is given up", err=True)
            return
        if model is not None:
            wait(images.migrate(model, sample=sample, seed=seed))
        found = _step(
            images,
            cut_over=cut_over,
            allow_missing=allow_missing,
            roll_back=roll_back,
            finish=finish,
        )
    if json:
        print_json(found)
    else:
        _print(found)


def _step(
    images: Collection, *, cut_over: bool, allow_missing: bool, roll_back: bool, finish: bool
) -> Migration:
    if cut_over:
        return images.cut_over(allow_missing=allow_missing)
    if roll_back:
        return images.roll_back()
    if finish:
        return images.finish_migration()
    return images.migration()


def _print(migration: Migration) -> None:
    typer.echo(f"{migration.collection}: {_STATES[migration.state]}")
    spaces = [("former", migration.former), ("new", migration.target)]
    print_table(
        ("", "model", "dim", "images", "in the graph"),
        (
            (name, space.model, space.dim, space.points, space.indexed)
            for name, space in spaces
            if space is not None
        ),
    )
    if migration.missing:
        typer.echo(f"{migration.missing} images would be lost by cutting over now.")
    if migration.report is not None:
        _print_report(migration.report)


def _print_report(report: MigrationReport) -> None:
    typer.echo(
        f"{report.points} images, {report.from_thumbnails} of them from thumbnails, "
        f"{report.not_migrated} not migrated, in {report.seconds:.1f} s"
    )
    if report.overlap_at_10 is not None:
        typer.echo(f"overlap@10 {report.overlap_at_10:.3f} over {report.sample} images")
    if report.rank_correlation is not None:
        typer.echo(f"Kendall's tau {report.rank_correlation:.3f} over {report.ranked} images")
    for warning in report.warnings:
        typer.echo(f"warning: {warning}", err=True)
    for image in report.not_migrated_images[:_SHOWN]:
        typer.echo(f"not migrated: {image.id}: {image.code}: {image.detail}", err=True)
    if report.not_migrated > _SHOWN:
        typer.echo(f"… and {report.not_migrated - _SHOWN} more; --json lists 1,000", err=True)
