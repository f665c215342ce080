"""The sign of life of the job that runs here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

from lookalike_service.errors import LookalikeError
from lookalike_service.jobs.records import Record, Records
from lookalike_service.jobs.worker import Cancelled
from lookalike_service.schemas.jobs import Progress

_WRITE_SECONDS = 0.5
_HEARTBEAT_SECONDS = 5.0


class Pulse:
    """Keeps one job's pulse while entered, and sets `cancel` once its record is not `ours` any more.

    A store that does not answer is no reason to stop: whoever works with it will find out.
    """

    def __init__(
        self,
        records: Records,
        id: str,
        ours: Callable[[Record], bool],
        cancel: threading.Event,
    ) -> None:
        self._records, self._id, self._ours, self._cancel = records, id, ours, cancel
        self._progress = Progress(stage="starting", done=0)
        self._written = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="job-pulse", daemon=True)

    def __enter__(self) -> Pulse:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    def progress(self, stage: str, done: int, total: int | None) -> None:
        """Say how far the job is. Raises Cancelled once it is to stop."""
        if self._cancel.is_set():
            raise Cancelled
        began = stage != self._progress.stage
        self._progress = Progress(stage=stage, done=done, total=total)
        if began or time.monotonic() - self._written > _WRITE_SECONDS:
            self._write()

    def _beat(self) -> None:
        while not self._ended.wait(_HEARTBEAT_SECONDS):
            with suppress(LookalikeError):
                if not self._ours(self._records.get(self._id)):
                    self._cancel.set()
                    return
            self._write()

    def _write(self) -> None:
        self._written = time.monotonic()
        with suppress(LookalikeError):
            self._records.beat(self._id, self._progress)
