"""The parent's side of the computing process: warm between jobs, killed to cancel.

Heavy computing would hold the GIL of the process that answers requests, and cannot be interrupted there.
Executors of the standard library and loky cannot kill one running task, so the process is our own.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Event, Lock
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from lookalike_service import logs
from lookalike_service.analysis.progress import Progress
from lookalike_service.errors import Internal, LookalikeError

_Order = tuple[str, str, dict[str, Any], dict[str, Any]]
"""A function, its folder and parameters, and what its log lines belong to."""

_POLL_SECONDS = 0.1
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS",
)  # fmt: skip


class Cancelled(Exception):
    """The job was cancelled, or the service is stopping."""


class Worker:
    """One process that computes one thing at a time, with limited threads. Use from one thread."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._lock = Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None

    def compute(
        self,
        function: str,
        folder: Path,
        parameters: dict[str, Any],
        progress: Progress,
        cancel: Event,
    ) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Run `module:name` on the arrays of `folder`; its arrays (memory-mapped) and figures.

        Raises Cancelled soon after `cancel` is set, the function's own error, Internal if the process dies.
        """
        try:
            context = structlog.contextvars.get_contextvars()
            connection = self._accepted((function, str(folder), parameters, context), cancel)
            answer = self._wait(connection, progress, cancel)
        except (EOFError, ConnectionError) as error:
            self.stop()
            raise Internal(
                "The computing process died, perhaps for want of memory; the service goes on. "
                "Use fewer points or a reduction, or try again."
            ) from error
        except BaseException:
            self.stop()  # or this answer would be taken for that of the next computation
            raise
        if isinstance(answer, LookalikeError):
            raise answer
        out = {path.stem: np.load(path, mmap_mode="r") for path in (folder / "out").glob("*.npy")}
        return out, answer

    def stop(self) -> None:
        """Kill the process; the next computation starts another."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            if self._process is not None:
                self._process.kill()
                self._process.wait()
                self._process = None

    def _accepted(self, task: _Order, cancel: Event) -> Connection:
        """Of a process that has begun the task: a second one if the first ended since its last task.

        A killed process can look alive for a while, and its socket takes what nobody will read.
        """
        try:
            return self._handed_over(task, cancel)
        except (EOFError, ConnectionError):
            self.stop()
            return self._handed_over(task, cancel)

    def _handed_over(self, task: _Order, cancel: Event) -> Connection:
        connection = self._started()
        connection.send(task)
        _received(connection, cancel)
        return connection

    def _wait(
        self, connection: Connection, progress: Progress, cancel: Event
    ) -> dict[str, Any] | LookalikeError:
        """The figures that the process answers with, or its error."""
        while True:
            kind, value = _received(connection, cancel)
            if kind != "progress":
                answer: dict[str, Any] | LookalikeError = value
                return answer
            progress(*value)

    def _started(self) -> Connection:
        with self._lock:
            if self._connection is None:
                self._connection = self._start()
            return self._connection

    def _start(self) -> Connection:
        """Spawn, not fork, and without running the parent's main module again."""
        limits = dict.fromkeys(_THREAD_VARIABLES, str(self._threads))
        path = os.pathsep.join(filter(None, sys.path))
        ours, theirs = socket.socketpair()
        with ours, theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own module
                [
                    *(sys.executable, "-P", "-m", "lookalike_service.jobs.worker_process"),
                    *(str(theirs.fileno()), str(os.getpid()), logs.configured_format()),
                ],
                pass_fds=(theirs.fileno(),),
                env={**os.environ, **limits, "PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the parent, which then ends this process
            )
            return Connection(ours.detach())


def _received(connection: Connection, cancel: Event) -> Any:
    """The process's next message. Raises Cancelled, EOFError, ConnectionError."""
    while not cancel.is_set():
        if connection.poll(_POLL_SECONDS):
            return connection.recv()
    raise Cancelled
