"""The command line's commands, found as entry points so that the service adds its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points

import typer

from lookalike.errors import LookalikeError

GROUP = "lookalike.commands"
_EXTRAS = {"lookalike_service": "service", "lookalike_indexer": "indexer"}


def run(arguments: Sequence[str]) -> int:
    """Run one command; its exit status. An expected failure is one line on standard error."""
    app = build(arguments, entry_points(group=GROUP))
    try:
        app(list(arguments), prog_name="lookalike", standalone_mode=True)
    except (LookalikeError, OSError) as error:
        typer.echo(f"lookalike: {error}", err=True)
        return 1
    return 0


def build(arguments: Sequence[str], commands: Iterable[EntryPoint]) -> typer.Typer:
    """The application with the command that the arguments name, or with all where they name none.

    The others are not imported: one command need not wait for what another needs.
    """
    app = typer.Typer(
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
    )
    app.callback()(lookalike)
    known = sorted(commands, key=lambda command: command.name)
    named = [command for command in known if command.name in arguments[:1]]
    for command in named or known:
        _add(app, command)
    return app


def lookalike() -> None:
    """Find similar images: index folders, search, explain, cluster and draw maps of them.

    The service is at --url or LOOKALIKE_URL, by default http://127.0.0.1:3000.
    """


def _add(app: typer.Typer, command: EntryPoint) -> None:
    try:
        function = command.load()
    except ImportError as error:
        anything = {"ignore_unknown_options": True, "allow_extra_args": True}
        app.command(command.name, context_settings=anything)(_unavailable(command, error))
    else:
        if isinstance(function, typer.Typer):  # a command with sub-commands
            app.add_typer(function, name=command.name)
        else:
            app.command(command.name)(function)


def _unavailable(command: EntryPoint, error: ImportError) -> Callable[[], None]:
    """A stand-in for a command whose modules are not installed, which says what to install."""
    package = command.module.partition(".")[0]
    source = f"lookalike[{_EXTRAS[package]}]" if package in _EXTRAS else package
    hint = f"Not installed: pip install '{source}' ({error})."

    def stand_in() -> None:
        typer.echo(f"lookalike {command.name}: {hint}", err=True)
        raise typer.Exit(2)

    stand_in.__doc__ = hint
    return stand_in
