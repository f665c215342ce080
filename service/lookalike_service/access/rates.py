"""How much of something each caller may use: token buckets, off where no rate is set."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from lookalike_service.errors import RateLimited

_MOST_CALLERS = 10_000


class Rate:
    """A token bucket for each caller: `per_second` tokens flow in, up to those of `burst_seconds`.

    A bucket is kept as the moment at which it will be full (the generic cell rate algorithm, ITU-T I.371), so
    that one that is full need not be kept at all; beyond 10,000 callers the longest unused are forgotten.
    What is used may exceed what is there: the next call then waits until the debt is paid. Thread-safe.
    """

    def __init__(
        self,
        what: str,
        per_second: float | None,
        burst_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._what, self._per_second, self._clock = what, per_second, clock
        # One token must fit, or nothing would ever be allowed.
        self._burst = max(burst_seconds, 1 / per_second) if per_second else 0.0
        self._full_at: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def use(self, caller: str, count: int = 1) -> None:
        """Take tokens. Raises RateLimited where not even one is there; then none are taken."""
        if not self._per_second or count == 0:
            return
        now, cost = self._clock(), 1 / self._per_second
        with self._lock:
            full_at = max(self._full_at.pop(caller, now), now)
            missing = full_at + cost - (now + self._burst)
            if missing <= 0:
                full_at += count * cost
            self._full_at[caller] = full_at
            self._forget(now)
        if missing > 1e-9:  # time as a float is not exact
            raise RateLimited(
                f"At most {self._per_second:g} {self._what} per second for each caller here; try again in "
                f"{missing:.3g} s.",
                retry_after=max(1, math.ceil(missing)),
            )

    def _forget(self, now: float) -> None:
        """Drop the longest unused: those whose bucket is full, and what is too many."""
        while self._full_at:
            caller = next(iter(self._full_at))
            if self._full_at[caller] > now and len(self._full_at) <= _MOST_CALLERS:
                return
            del self._full_at[caller]

    def __len__(self) -> int:
        """How many callers are remembered."""
        return len(self._full_at)
