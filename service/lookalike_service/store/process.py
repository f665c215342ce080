"""The parent's side of the engine process: starts it, calls it, starts it again when it died."""

from __future__ import annotations

import fcntl
import os
import pickle
import socket
import subprocess
import sys
import threading
import time
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil

from lookalike_service.errors import StoreLocked, StoreUnavailable

_CLOSE_SECONDS = 60.0
_ORPHAN_SECONDS = 10.0


class EngineProcess:
    """Methods of `EdgeEngine`, called in the process that owns the data folder. Thread-safe.

    Errors raised there are raised here. A call during which the process dies raises
    StoreUnavailable; the next one starts another. Raises StoreLocked if another process has the
    folder.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._lock_fd = _locked(folder)
        self._calls = threading.Lock()
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
        """Let the engine flush and end, and free the folder for others; safe to repeat."""
        with self._calls:
            if self._closed:
                return
            self._closed = True
            self._stop(_CLOSE_SECONDS)
            os.close(self._lock_fd)

    def _call(self, method: str, *arguments: Any, **keywords: Any) -> Any:
        request = pickle.dumps((method, arguments, keywords), pickle.HIGHEST_PROTOCOL)
        with self._calls:
            connection = self._connected()
            try:
                connection.send_bytes(request)
                reply = connection.recv_bytes()
            except (EOFError, OSError) as error:
                self._stop(0)
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

    def _connected(self) -> Connection:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        if self._connection is None:
            self._connection = self._start()
        return self._connection

    def _start(self) -> Connection:
        """Spawn, not fork, and without running the parent's main module again.

        The child inherits the lock, so the folder stays locked until both have ended.
        """
        ours, theirs = socket.socketpair()
        with ours, theirs:
            self._process = subprocess.Popen(  # noqa: S603 (our own module)
                [
                    *(sys.executable, "-P", "-m", "lookalike_service.store.engine_process"),
                    *(str(theirs.fileno()), str(os.getpid()), str(self._folder / "collections")),
                ],
                pass_fds=(theirs.fileno(), self._lock_fd),
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


def _locked(folder: Path) -> int:
    """An open, exclusively locked descriptor of the folder's lock file, which names the owner."""
    fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    deadline = time.monotonic() + _ORPHAN_SECONDS
    while not _try_lock(fd):
        owner = os.pread(fd, 32, 0).decode()
        # The engine of an owner that was killed finishes its last call before it ends.
        if time.monotonic() < deadline and not (owner and psutil.pid_exists(int(owner))):
            time.sleep(0.05)
            continue
        os.close(fd)
        raise StoreLocked(
            f"the store in {folder} is in use by process {owner or 'unknown'}; stop it, use "
            "another folder, or let both share a Qdrant server",
            pid=owner,
        )
    os.truncate(fd, 0)
    os.pwrite(fd, str(os.getpid()).encode(), 0)
    return fd


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
