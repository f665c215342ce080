"""Who is next: urgent work before bulk, which keeps a share, and callers in turn within each.

Between callers it is start-time fair queueing (Goyal, Vin, Cheng 1996): the caller to whom least was given
since it began to wait is next, so that one with a thousand images takes no more than one with a few. The
order is decided when work is taken, not when it comes.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field
from itertools import count
from typing import Generic, TypeVar

from lookalike_service.batching.work import Priority

T = TypeVar("T")

BULK_SHARE = 0.25
"""Of the work done while both kinds wait, so that bulk never starves."""


@dataclass(slots=True, eq=False)
class Entry(Generic[T]):
    """One thing that waits; `cost` is what it takes, in any unit."""

    item: T
    cost: float
    line: _Line[T]
    waits: bool = True


@dataclass(slots=True, eq=False)
class _Line(Generic[T]):
    """What one caller has waiting, in order; `start`: how much was given to it, in its lane's own time."""

    caller: str
    lane: _Lane[T]
    start: float
    entries: deque[Entry[T]] = field(default_factory=deque)
    cost: float = 0.0
    count: int = 0


class _Lane(Generic[T]):
    """The callers of one priority."""

    def __init__(self) -> None:
        self.count = 0
        self.cost = 0.0
        self._lines: dict[str, _Line[T]] = {}
        self._heap: list[tuple[float, int, _Line[T]]] = []
        self._numbers = count()
        self._now = 0.0

    def push(self, caller: str, item: T, cost: float) -> Entry[T]:
        line = self._lines.get(caller)
        if line is None:
            line = self._lines[caller] = _Line(caller, self, self._now)
            self._enqueue(line)
        entry = Entry(item, cost, line)
        line.entries.append(entry)
        self._count(entry, 1)
        return entry

    def next(self) -> Entry[T] | None:
        while self._heap:
            line = self._heap[0][2]
            while line.entries and not line.entries[0].waits:
                line.entries.popleft()
            if line.entries:
                return line.entries[0]
            heapq.heappop(self._heap)
            del self._lines[line.caller]
        return None

    def take(self) -> None:
        """Take what is next away; its caller goes behind those to whom less was given."""
        _, _, line = heapq.heappop(self._heap)
        entry = line.entries.popleft()
        self._now = line.start
        line.start += entry.cost
        self._enqueue(line)
        self.forget(entry)

    def forget(self, entry: Entry[T]) -> None:
        entry.waits = False
        self._count(entry, -1)

    def ahead(self, caller: str) -> float:
        own = self._lines.get(caller)
        held = own.cost if own is not None else 0.0
        others = sum(min(line.cost, held + 1) for line in self._lines.values() if line is not own)
        return held + others

    def _enqueue(self, line: _Line[T]) -> None:
        heapq.heappush(self._heap, (line.start, next(self._numbers), line))

    def _count(self, entry: Entry[T], sign: int) -> None:
        for total in (self, entry.line):
            total.count += sign
            # Sums of floats drift; what holds nothing costs nothing.
            total.cost = total.cost + sign * entry.cost if total.count else 0.0


class FairQueue(Generic[T]):
    """Work that waits. Costs are positive; an entry that costs more counts as more turns."""

    def __init__(self) -> None:
        self._lanes: dict[Priority, _Lane[T]] = {"interactive": _Lane(), "bulk": _Lane()}
        self._owed = 0.0

    def __len__(self) -> int:
        return sum(lane.count for lane in self._lanes.values())

    def waiting(self, priority: Priority) -> int:
        """How many entries of this priority wait."""
        return self._lanes[priority].count

    def push(self, priority: Priority, caller: str, item: T, cost: float) -> Entry[T]:
        """Have it wait, behind what this caller already has waiting."""
        return self._lanes[priority].push(caller, item, cost)

    def next(self) -> Entry[T] | None:
        """What `take` would take; None if nothing waits."""
        urgent, bulk = self._lanes["interactive"].next(), self._lanes["bulk"].next()
        if urgent is None or bulk is None:
            return urgent or bulk
        return bulk if self._owed >= bulk.cost else urgent

    def take(self) -> T | None:
        """The next item, which waits no longer; None if nothing waits."""
        entry = self.next()
        if entry is None:
            return None
        bulk = self._lanes["bulk"]
        entry.line.lane.take()
        if entry.line.lane is not bulk:
            self._owed = self._owed + entry.cost * _OWED if bulk.count else 0.0
        elif self._owed >= entry.cost:
            self._owed -= entry.cost
        return entry.item

    def drop(self, entry: Entry[T]) -> None:
        """Have an entry wait no longer, as if it had never come; one that was taken is left alone."""
        if entry.waits:
            entry.line.lane.forget(entry)

    def ahead(self, priority: Priority, caller: str) -> float:
        """The cost of what will be taken, of this priority, before the next thing that this caller brings."""
        return self._lanes[priority].ahead(caller)


_OWED = BULK_SHARE / (1 - BULK_SHARE)
