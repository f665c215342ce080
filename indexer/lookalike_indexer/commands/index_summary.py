"""What `lookalike index` prints: on the way for machines, and at the end."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import typer

from lookalike_indexer.output import print_json
from lookalike_indexer.report import IndexProgress, IndexReport


class Lines:
    """Prints failures as they come, and how far it is once a second, as JSON lines."""

    def __init__(self) -> None:
        self._printed = -math.inf

    def __call__(self, progress: IndexProgress) -> None:
        """See `Report`."""
        for failure in progress.new_failures:
            print_json({"event": "failed", **asdict(failure)})
        now = time.monotonic()
        if now - self._printed >= 1:
            self._printed = now
            counts = {k: v for k, v in asdict(progress).items() if k != "new_failures"}
            more = {k: getattr(progress, k) for k in ("rate", "seconds_left", "bottleneck")}
            print_json({"event": "progress", **counts, **more})


def summary(report: IndexReport) -> dict[str, Any]:
    """The report without its failures, as JSON."""
    counts = {name: value for name, value in asdict(report).items() if name != "failures"}
    more = {"failed": report.failed, "bottleneck": report.bottleneck}
    return {"total": report.total, **counts, **more}


def print_summary(report: IndexReport, collection: str) -> None:
    """The report as text; failures and notes on standard error."""
    more = {"copies": report.duplicates, "deleted": report.pruned}
    typer.echo(
        f"{collection}: {report.created} created, {report.updated} updated, "
        f"{report.unchanged + report.skipped} unchanged, "
        + "".join(f"{count} {name}, " for name, count in more.items() if count)
        + f"{report.failed} failed in {report.seconds:.1f} s"
        + (f"; busiest: {report.bottleneck}" if report.bottleneck else "")
    )
    for failure in report.failures[:10]:
        typer.echo(f"  {failure.path}: {failure.code}: {failure.detail}", err=True)
    if report.failed > 10:
        typer.echo(f"  and {report.failed - 10} more", err=True)
    if report.failed:
        typer.echo(f"  all in {report.errors_path}", err=True)
    for note in _notes(report):
        typer.echo(f"  note: {note}", err=True)


def _notes(report: IndexReport) -> Iterator[str]:
    for field in report.unindexed_fields:
        yield f"the collection has no index on {field}, to filter by"
    if report.kept:
        yield (
            f"{report.kept} images are gone from their source and were not deleted: not all of the source "
            "could be listed, or they are too many to delete without --yes"
        )
    if report.orphans:
        yield (
            f"{report.orphans} copies from other sources are stored no more, as the image they are copies of "
            "changed: index their sources again"
        )
