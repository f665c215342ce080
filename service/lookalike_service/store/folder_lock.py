"""One process at a time owns a data folder."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

import psutil

from lookalike_service.errors import StoreLocked

_ORPHAN_SECONDS = 10.0


def lock(folder: Path) -> int:
    """An open, exclusively locked descriptor of the folder's lock file, which names the owner.

    Raises StoreLocked if another process has it.
    """
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
