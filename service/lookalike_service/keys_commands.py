"""`lookalike keys`: make, list and revoke API keys."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from lookalike_service.access.keyring import read_file
from lookalike_service.access.keys import Key, Role, entry, new_key, write_keys
from lookalike_service.errors import InvalidField

keys = typer.Typer(
    no_args_is_help=True,
    help="Make, list and revoke API keys of the service.\n\n"
    "Their file holds no key, only what tells a right one: start the service with it in "
    "LOOKALIKE_API_KEYS_FILE, which also is the default here. A change takes effect within seconds.",
)
File = Annotated[
    Path, typer.Option(envvar="LOOKALIKE_API_KEYS_FILE", help="The file of the keys' entries.")
]


@keys.command()
def new(
    role: Annotated[Role, typer.Option(help="Each role may do what those before it may.")],
    collection: Annotated[
        list[str] | None,
        typer.Option(help="Only collections of this name or pattern ('shop-*'); may be repeated."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="What lists and logs call it.")] = None,
    expires: Annotated[
        datetime | None,
        typer.Option(help="When it stops working, UTC.", formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            envvar="LOOKALIKE_API_KEYS_FILE", help="Add it to this file; else print its entry."
        ),
    ] = None,
) -> None:
    """Make a key and show it, once: nobody can read it again from its entry."""
    key = new_key()
    until = None if expires is None else expires.replace(tzinfo=UTC)
    try:
        made = entry(key, role, collection, name, until)
        if file is not None:
            _add(file, made)
    except InvalidField as error:
        raise _failed(error) from error
    typer.echo(key)
    if file is None:
        typer.echo(write_keys([made]), err=True, nl=False)
        typer.echo("Its entry is above: for LOOKALIKE_API_KEYS or a file of keys.", err=True)
    else:
        typer.echo(f"Added '{made.id}' to {file}. The key is not kept: note it now.", err=True)


@keys.command("list")
def show(file: File) -> None:
    """List the keys of a file: name, role, collections, when they were made and when they expire."""
    now = datetime.now(UTC)
    for key in _read(file):
        until = "no end" if key.expires is None else f"until {key.expires:%Y-%m-%d %H:%M}"
        made = "" if key.created is None else f"made {key.created:%Y-%m-%d}"
        scope = "all collections" if key.collections is None else ", ".join(key.collections)
        state = "EXPIRED" if key.expired(now) else ""
        typer.echo("\t".join(filter(None, (key.id, key.role, scope, made, until, state))))


@keys.command()
def revoke(
    key: Annotated[str, typer.Argument(help="Its name, or the beginning of its digest as listed.")],
    file: File,
) -> None:
    """Take a key out of the file: a running service refuses it within seconds."""
    found = _read(file)
    left = [each for each in found if each.id != key]
    if len(left) == len(found):
        names = ", ".join(each.id for each in found) or "none"
        raise _failed(InvalidField(f"{file} has no key '{key}'; it has: {names}."))
    _write(file, left)
    typer.echo(f"Revoked '{key}'; {len(left)} left.")


def _read(file: Path) -> Sequence[Key]:
    try:
        return read_file(file)
    except InvalidField as error:
        raise _failed(error) from error


def _add(file: Path, made: Key) -> None:
    """Raises InvalidField where the name is taken."""
    known = read_file(file) if file.exists() else ()
    if made.id in {key.id for key in known}:
        raise InvalidField(
            f"{file} has a key '{made.id}' already: choose another name, or revoke it."
        )
    _write(file, [*known, made])


def _write(file: Path, keys: Sequence[Key]) -> None:
    """Replace the file at once, so that a service never reads half of it; its mode stays."""
    mode = file.stat().st_mode & 0o777 if file.exists() else 0o600
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "w") as draft:
            draft.write(write_keys(keys))
        Path(name).chmod(mode)
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink()
        raise


def _failed(error: InvalidField) -> typer.Exit:
    typer.echo(f"lookalike keys: {error.detail}", err=True)
    return typer.Exit(1)
