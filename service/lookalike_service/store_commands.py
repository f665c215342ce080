"""`lookalike store`: move collections between stores, and in and out of backups."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from lookalike_service.environment import unfit_values
from lookalike_service.errors import LookalikeError, UnknownCollection
from lookalike_service.settings import get_settings
from lookalike_service.store.archive import ArchiveSource, ArchiveTarget
from lookalike_service.store.contents import StoreSource, StoreTarget, copy
from lookalike_service.store.factory import open_store
from lookalike_service.store.point_store import PointStore


class Action(StrEnum):
    """What `lookalike store` does."""

    copy = "copy"
    backup = "backup"
    restore = "restore"


def store(
    action: Annotated[Action, typer.Argument(help="copy, backup or restore.")],
    source: Annotated[str, typer.Argument(help="A store, or for restore a backup's folder.")],
    target: Annotated[str, typer.Argument(help="A store, or for backup a folder to write to.")],
    collection: Annotated[
        list[str] | None, typer.Option(help="Only this collection; may be repeated.")
    ] = None,
) -> None:
    """Copy collections with points, labels and runs between stores, or back them up and restore.

    A store is the data folder of an embedded store that no service has open, or the URL of a Qdrant
    server (its key in LOOKALIKE_QDRANT_API_KEY). Collections that the target has are not touched.
    """
    try:
        if action is Action.backup:
            with _opened(source, exists=True) as one:
                copied = copy(StoreSource(one), ArchiveTarget(Path(target)), collection or ())
        elif action is Action.restore:
            with _opened(target) as one:
                copied = copy(ArchiveSource(Path(source)), StoreTarget(one), collection or ())
        else:
            with _opened(source, exists=True) as one, _opened(target) as other:
                copied = copy(StoreSource(one), StoreTarget(other), collection or ())
    except LookalikeError as error:
        typer.echo(f"lookalike store: {error.detail}", err=True)
        raise typer.Exit(1) from error
    except ValidationError as error:
        for line in unfit_values(error):
            typer.echo(line, err=True)
        raise typer.Exit(2) from error
    for name, points in copied.items():
        typer.echo(f"{name}: {points} points")
    if not copied:
        typer.echo("no collections")


@contextmanager
def _opened(place: str, *, exists: bool = False) -> Iterator[PointStore]:
    """The store at a URL or in a folder."""
    settings = get_settings()
    if place.startswith(("http://", "https://")):
        opened = open_store(settings.model_copy(update={"qdrant_url": place}))
    elif exists and not (Path(place) / "labels.db").is_file():
        raise UnknownCollection(f"{place} is not the data folder of a store")
    else:
        opened = open_store(settings.model_copy(update={"qdrant_url": None, "data": Path(place)}))
    try:
        yield opened
    finally:
        opened.close()
