"""Inner loops compiled to machine code by numba, and threads to run them in."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, TypeVar, cast

import numba

F = TypeVar("F", bound=Callable[..., Any])

_FAST = {"nnan", "nsz", "reassoc", "contract", "arcp"}  # infinities stay infinities
_FEW = 1024


def compiled(*signatures: str) -> Callable[[F], F]:
    """Compile a function for these argument types when its module is imported; it releases the GIL.

    What was compiled is kept beside the module, or where numba keeps such things for the user, or in
    NUMBA_CACHE_DIR, so that it is compiled once for a machine. Where none can be written to, it is
    compiled in every process.
    """

    def decorate(function: F) -> F:
        given = list(signatures)
        try:
            found = numba.njit(given, nogil=True, fastmath=_FAST, cache=True)(function)
        except RuntimeError as error:
            if "cannot cache" not in str(error):
                raise
            found = numba.njit(given, nogil=True, fastmath=_FAST)(function)
        return cast("F", found)

    return decorate


def threads() -> int:
    """As many as libraries are told to use by OMP_NUM_THREADS, else one for each core."""
    told = os.environ.get("OMP_NUM_THREADS", "")
    return int(told) if told.isdecimal() and int(told) else os.cpu_count() or 1


class Rows:
    """Runs a compiled loop over rows in threads, each over its part of them; close when done."""

    def __init__(self, count: int) -> None:
        parts = threads() if count > _FEW else 1
        ends = [count * part // parts for part in range(parts + 1)]
        self._parts = list(pairwise(ends))
        self._pool = ThreadPoolExecutor(parts)

    def __enter__(self) -> Rows:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def run(self, loop: Callable[..., None], *arguments: Any) -> None:
        """Call `loop(*arguments, first, last)` for each part of the rows."""
        if len(self._parts) == 1:
            loop(*arguments, *self._parts[0])
            return
        for done in [self._pool.submit(loop, *arguments, *part) for part in self._parts]:
            done.result()
