"""Progress bars on standard error; nothing is drawn where that is not a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from lookalike.results import JobStatus
from lookalike_indexer.report import IndexProgress


class _RateColumn(ProgressColumn):
    """Steps per second."""

    def render(self, task: Task) -> Text:
        """As text, empty until it is known."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.0f}/s" if speed else "")


@contextmanager
def index_bar() -> Iterator[Callable[[IndexProgress], None]]:
    """A bar over images with rate, time left, failures, and the bottleneck; yields what moves it."""
    console = Console(stderr=True)
    columns = (
        TextColumn("indexing"),
        BarColumn(),
        MofNCompleteColumn(),
        _RateColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[failed]} failed"),
        TextColumn("{task.fields[work]}"),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None, failed=0, work="")
        yield lambda now: progress.update(
            task, completed=now.done, total=now.total, failed=now.failed, work=_work(now)
        )


def _work(now: IndexProgress) -> str:
    """The size of a batch, and the stage that the others wait for."""
    batch = f"{now.batch_size:.0f} a batch" if now.batch_size else ""
    slowest = f"slowest: {now.bottleneck}" if now.bottleneck else ""
    return ", ".join(filter(None, (batch, slowest)))


@contextmanager
def job_bar() -> Iterator[Callable[[JobStatus], None]]:
    """A bar over a job's stage with the time it has taken; yields the callback that moves it."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("queued", total=None)

        def move(status: JobStatus) -> None:
            stage = status.progress.stage or status.state
            progress.update(
                task,
                description=stage,
                completed=status.progress.done,
                total=status.progress.total,
            )

        yield move
