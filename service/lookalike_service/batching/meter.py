"""How fast work is done here, and how fast more of it comes."""

from __future__ import annotations

import math
from collections.abc import Callable

from lookalike_service.batching.fair_queue import BULK_SHARE
from lookalike_service.batching.work import PRIORITIES, Priority

_REMEMBER_RATE = 5.0
_SHORTEST_SAMPLE = 0.1
"""Seconds."""

_TYPICAL_WEIGHT = 0.1
_RECENTLY = 10.0
"""Seconds."""

_TOO_MUCH = 2.0
"""Offered more than this many times what can be done, waiting helps nobody: the queue would only stay full.

Callers who each wait for their answer offer exactly what is done, however many they are: at first all at once
what the queue holds at most, hence offers are remembered for twice as long as it may be. When a flood ends,
those who go on must not be refused for as long: so it must be too much by what came lately, too."""


class Meter:
    """Rates, in cost per second, of what is done and of what is offered, as running averages.

    What can be done is learnt only while something waits: before that, more could have been done.
    `seconds`: the longest that work of a priority may wait.
    """

    def __init__(self, seconds: Callable[[Priority], float]) -> None:
        self.rate: float | None = None
        self._done = self._seconds = self._known = 0.0
        self._since: float | None = None
        self._offered, self._finished, self._lately = (
            {priority: _Decaying(times * seconds(priority)) for priority in PRIORITIES}
            for times in (2, 2, 0.25)
        )
        self._typical = {"interactive": 1.0, "bulk": 1.0}
        self._came = {"interactive": -math.inf, "bulk": -math.inf}

    def offer(self, priority: Priority, cost: float | None, now: float) -> None:
        """Count a request that came, accepted or not; one whose cost is not known as a typical one."""
        self._came[priority] = now
        if cost is not None:
            self._typical[priority] += _TYPICAL_WEIGHT * (cost - self._typical[priority])
        cost = self._typical[priority] if cost is None else cost
        self._offered[priority].add(cost, now)
        self._lately[priority].add(cost, now)

    def finish(self, priority: Priority, cost: float, now: float, *, backlog: bool) -> None:
        """Count work that is done. `backlog`: whether more waits for its place."""
        self._finished[priority].add(cost, now)
        if self._since is not None:
            self._done += cost
            self._seconds += now - self._since
            self._learn()
        self._since = now if backlog else None

    def speed(self, priority: Priority, now: float) -> float | None:
        """What this priority can count on; None before it is known."""
        if self.rate is None or priority == "interactive":
            return self.rate
        left = self.rate - self._offered["interactive"].per_second(now)
        return max(left, BULK_SHARE * self.rate)

    def overloaded(self, priority: Priority, now: float) -> bool:
        """Whether much more than can be done has been coming."""
        speed = self.speed(priority, now)
        if speed is None:
            return False
        possible = max(speed, self._finished[priority].per_second(now))
        offered = min(rates[priority].per_second(now) for rates in (self._offered, self._lately))
        return offered > _TOO_MUCH * possible

    def recently(self, priority: Priority, now: float) -> bool:
        """Whether a request of this priority came in the last seconds."""
        return now - self._came[priority] < _RECENTLY

    def _learn(self) -> None:
        if self._seconds < _SHORTEST_SAMPLE:
            return
        sample = self._done / self._seconds
        self._known += self._seconds
        # A plain mean at first, or the first sample would weigh most for as long as is remembered.
        weight = max(1 - math.exp(-self._seconds / _REMEMBER_RATE), self._seconds / self._known)
        self.rate = sample if self.rate is None else self.rate + weight * (sample - self.rate)
        self._done = self._seconds = 0.0


class _Decaying:
    """A rate in which what is so many seconds old counts for a third."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._value = self._at = 0.0

    def add(self, cost: float, now: float) -> None:
        self._value = self.per_second(now) + cost / self._seconds
        self._at = now

    def per_second(self, now: float) -> float:
        return self._value * math.exp((self._at - now) / self._seconds)
