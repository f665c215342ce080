"""How far a run is, and where its bottleneck lies."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lookalike_indexer.report import IndexProgress, IndexReport
from lookalike_indexer.targets import Target

Report = Callable[[IndexProgress], None]

_TELL_SECONDS = 0.2


@dataclass
class Telling:
    """Says how far a run is, to all of `say`, and not too often. `start` is by the monotonic clock.

    `workers` says how many work side by side at each stage.
    """

    report: IndexReport
    total: int | None
    start: float
    target: Target
    workers: Callable[[], Mapping[str, int]]
    say: Sequence[Report]
    _told: float = -math.inf
    _failures_told: int = 0

    def now_and_then(self) -> None:
        """Say it if that was a while ago."""
        if time.monotonic() - self._told >= _TELL_SECONDS:
            self.now()

    def now(self) -> IndexProgress:
        """Say it; what was said."""
        report, self._told = self.report, time.monotonic()
        seconds = self._told - self.start
        failures = tuple(report.failures[self._failures_told :])
        self._failures_told += len(failures)
        busy, batch_size = self._busy(seconds)
        progress = IndexProgress(
            report.total,
            self.total,
            report.failed,
            failures,
            seconds,
            report.created + report.updated + report.unchanged,
            batch_size,
            busy,
        )
        for say in self.say:
            say(progress)
        return progress

    def _busy(self, seconds: float) -> tuple[dict[str, float], float]:
        """How busy each stage is, and the mean size of a batch."""
        if not seconds:
            return {}, 0.0
        stages = self.target.stages
        busy = {
            stage: min(1.0, stages.seconds(stage) / count / seconds)
            for stage, count in self.workers().items()
        }
        return busy, stages.mean_batch(self.target.batched_by)
