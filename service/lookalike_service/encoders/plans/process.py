"""How the process allocates and waits: two defaults that cost eager CPU inference half its speed."""

from __future__ import annotations

import ctypes
import os
import platform
import sys

import structlog

log = structlog.get_logger(__name__)

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # glibc's malloc.h


def tune_process() -> None:
    """Suit the allocator and OpenMP to inference beside decode threads; before torch is imported.

    - Freed activations stay in the heap. By default glibc hands blocks back to the system as they are
      freed, and every layer of the next pass faults its pages in again: half the images per second of a
      light network. Blocks above 32 MiB, such as large pictures, are handed back still.
    - OpenMP threads wait for one another in short spins. GNU's default spins for some 20 ms per barrier:
      when a decode thread holds the other's core, each of a network's hundred barriers may last that long.

    What the user has set of these is left alone.
    """
    if "torch" in sys.modules:
        log.warning("torch is imported already: OpenMP threads keep waiting in long spins")
    if not {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"} & set(os.environ):
        os.environ["GOMP_SPINCOUNT"] = "10000"
    if platform.libc_ver()[0] == "glibc" and "MALLOC_TRIM_THRESHOLD_" not in os.environ:
        libc = ctypes.CDLL(None)
        libc.mallopt(_MMAP_THRESHOLD, 32 * 2**20)  # the most that glibc takes
        libc.mallopt(_TRIM_THRESHOLD, 2**30)
