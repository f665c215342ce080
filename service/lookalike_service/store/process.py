"""The parent's side of the engine process: starts it, calls it, starts it again when it died."""

from __future__ import annotations

import json
import os
import pickle
import socket
import subprocess
import sys
from dataclasses import asdict
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import structlog

from lookalike_service import logs
from lookalike_service.errors import StoreUnavailable
from lookalike_service.store.fair_lock import FairLock
from lookalike_service.store.options import EmbeddedOptions

log = structlog.get_logger(__name__)

_CLOSE_SECONDS = 60.0


class EngineProcess:
    """Methods of `EdgeEngine`, called in a process that owns a folder of shards. Thread-safe.

    Calls are made in the order they come. Errors raised there are raised here. A call during which
    the process dies raises StoreUnavailable; the next one starts another. `lock_fd` is inherited,
    so that what it locks stays locked until this process and the other have ended.
    `background`: takes only the time others leave, and dies with the thread that called it first.
    """

    def __init__(
        self,
        folder: Path,
        labels: Path,
        options: EmbeddedOptions,
        *,
        lock_fd: int | None = None,
        background: bool = False,
    ) -> None:
        self._arguments = [
            *("--folder", str(folder), "--labels", str(labels)),
            *("--options", json.dumps(asdict(options))),
            *(["--background"] if background else []),
        ]
        self._inherited = () if lock_fd is None else (lock_fd,)
        self._calls = FairLock()
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._closed = False

    @property
    def pid(self) -> int | None:
        """The engine's process id, None before the first call."""
        return None if self._process is None else self._process.pid

    def __getattr__(self, method: str) -> Any:
        if method.startswith("_"):
            raise AttributeError(method)
        return partial(self._call, method)

    def close(self) -> None:
        """Let the engine flush and end; safe to repeat."""
        with self._calls:
            self._closed = True
            self._stop(_CLOSE_SECONDS)

    def kill(self) -> None:
        """End it at once, whatever it is doing; the call in progress raises StoreUnavailable."""
        self._closed = True
        if self._process is not None:
            self._process.kill()

    def _call(self, method: str, *arguments: Any, **keywords: Any) -> Any:
        request = pickle.dumps((method, arguments, keywords), pickle.HIGHEST_PROTOCOL)
        with self._calls:
            connection = self._connected()
            try:
                connection.send_bytes(request)
                reply = connection.recv_bytes()
            except (EOFError, OSError) as error:
                self._stop(0)
                self._tell_of_death()
                raise StoreUnavailable(
                    "the embedded store's process died and is started again; repeat the call"
                ) from error
            except BaseException:  # an interrupt: the reply would answer the next call
                self._stop(0)
                raise
        succeeded, result = pickle.loads(reply)  # noqa: S301 (from our own child alone)
        if succeeded:
            return result
        raise result

    def _tell_of_death(self) -> None:
        if not self._closed and self._process is not None:
            log.error(
                "the embedded store's process died, and is started again by the next call",
                pid=self._process.pid,
                exit_status=self._process.returncode,  # -9: killed, perhaps for want of memory
            )

    def _connected(self) -> Connection:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        if self._connection is None:
            self._connection = self._start()
        return self._connection

    def _start(self) -> Connection:
        """Spawn, not fork, and without running the parent's main module again."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            self._process = subprocess.Popen(  # noqa: S603 (our own module)
                [
                    *(sys.executable, "-P", "-m", "lookalike_service.store.engine_process"),
                    *("--fd", str(theirs.fileno()), "--parent", str(os.getpid())),
                    *("--log-format", logs.configured_format()),
                    *self._arguments,
                ],
                pass_fds=(theirs.fileno(), *self._inherited),
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the parent, which then closes the engine
            )
            return Connection(ours.detach())

    def _stop(self, seconds: float) -> None:
        """Hang up; the process ends by itself, or is killed after this time."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is not None:
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
