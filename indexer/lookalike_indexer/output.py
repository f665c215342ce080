"""What commands print on standard output: JSON lines, or text and tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


_LONGEST_ID = 40


def print_json(record: DataclassInstance | Mapping[str, Any]) -> None:
    """One record as one line of JSON."""
    typer.echo(json.dumps(dict(record) if isinstance(record, Mapping) else asdict(record)))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Rows under headings; numbers to the right, None as nothing.

    What a row begins with is copied from here, so a short one, such as the id of a job, is never broken.
    """
    table = Table(box=SIMPLE, pad_edge=False, collapse_padding=True)
    cells = [["" if cell is None else cell for cell in row] for row in rows]
    for column, heading in enumerate(headings):
        numeric = all(isinstance(row[column], (int, float)) for row in cells)
        short = all(len(str(row[column])) <= _LONGEST_ID for row in cells)
        table.add_column(
            heading,
            justify="right" if numeric else "left",
            overflow="fold",
            no_wrap=column == 0 and short,
        )
    for row in cells:
        table.add_row(*map(_text, row))
    # File names may hold what rich would take for markup.
    Console(markup=False, highlight=False, emoji=False).print(table)


def describe(diagnostics: Mapping[str, float | None]) -> str:
    """Diagnostics on one line."""
    return ", ".join(f"{name} {_text(value)}" for name, value in diagnostics.items())


def _text(value: object) -> str:
    if value is None:
        return "undefined"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
