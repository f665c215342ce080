"""Load that does not wait for answers: requests leave at set times, whatever became of those before.

It shares the cores with the service, so it is as cheap as can be: prepared bytes, a protocol of its own, one
process. Each caller has an address of its own in 127.0.0.0/8, by which the service tells callers apart.
"""

from __future__ import annotations

import asyncio
import heapq
import math
import multiprocessing
import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection

import uvloop


@dataclass(frozen=True)
class Stream:
    """Requests of one kind at a rate, in a Poisson process, by so many callers in turn.

    `images`: in each request. `first_caller`: the last number of the first one's address.
    """

    kind: str
    requests: Sequence[bytes]
    per_second: float
    images: int = 1
    callers: int = 1
    first_caller: int = 2


@dataclass(frozen=True)
class Answer:
    """When a request left, in seconds since the start, how long its answer took, and its status.

    `seconds` counts from when it was meant to leave, so that a generator that is late hides nothing.
    """

    kind: str
    at: float
    seconds: float
    status: int
    images: int


@dataclass(frozen=True)
class Offered:
    """What became of all requests, and how many cores the clients kept busy."""

    answers: list[Answer]
    seconds: float
    cores: float

    def of(self, kind: str, status: int = 200, since: float = 0.0) -> list[float]:
        """Latencies, in seconds, of the answers of a kind with this status."""
        return [
            a.seconds
            for a in self.answers
            if (a.kind, a.status) == (kind, status) and a.at >= since
        ]

    def images(self, *, since: float, until: float) -> float:
        """Images per second that were answered with 200 in this time."""
        good = (a for a in self.answers if a.status == 200 and since <= a.at + a.seconds < until)
        return sum(a.images for a in good) / (until - since)


def offer(port: int, streams: Sequence[Stream], seconds: float) -> Offered:
    """Offer this load from a process of its own."""
    context = multiprocessing.get_context("spawn")
    parent, child = context.Pipe()
    process = context.Process(target=_offer, args=(port, streams, seconds, child))
    process.start()
    offered: Offered = parent.recv()
    process.join()
    return offered


def _offer(
    port: int,
    streams: Sequence[Stream],
    seconds: float,
    pipe: Connection,
) -> None:
    pipe.send(uvloop.run(_Generator(port).run(streams, seconds)))


_CONNECTIONS = 400
"""Of a stream, opened before the first request; more are when these are busy."""


class _Connection(asyncio.Protocol):
    """One request at a time; `answered` is called with the status, 0 if the connection was lost."""

    def __init__(self) -> None:
        self.answered: Callable[[int], None] | None = None
        self.transport: asyncio.Transport | None = None
        self._buffer = b""
        self.lost = False

    def send(self, request: bytes, answered: Callable[[int], None]) -> None:
        assert self.transport is not None
        self.answered = answered
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(body) >= length:
            self._buffer = b""
            self._end(int(head[9:12]))

    def connection_lost(self, error: Exception | None) -> None:  # noqa: ARG002 - as asyncio calls it
        self.lost = True
        self._end(0)

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()

    def _end(self, status: int) -> None:
        answered, self.answered = self.answered, None
        if answered is not None:
            answered(status)


class _Generator:
    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: dict[int, deque[_Connection]] = {}
        self._answers: list[Answer] = []
        self._open = 0

    async def run(self, streams: Sequence[Stream], seconds: float) -> Offered:
        self._loop = asyncio.get_running_loop()
        for stream in streams:
            for number in range(stream.callers):
                caller = stream.first_caller + number
                ready = [await self._connect(caller) for _ in range(_CONNECTIONS // stream.callers)]
                self._idle.setdefault(caller, deque()).extend(ready)
        numbers = [iter(range(10**9)) for _ in streams]
        self._start, busy = self._loop.time(), time.process_time()
        tasks = set[asyncio.Task[None]]()
        for at, which in _times(streams, seconds):
            await self._until(at)
            task = self._loop.create_task(self._send(streams[which], next(numbers[which]), at))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        cores = (time.process_time() - busy) / seconds
        while tasks or self._open:  # noqa: ASYNC110 - an event would cost each answer
            await asyncio.sleep(0.05)
        for waiting in self._idle.values():
            for connection in waiting:
                connection.close()
        return Offered(self._answers, seconds, cores)

    async def _until(self, at: float) -> None:
        left = self._start + at - self._loop.time()
        if left > 0:
            await asyncio.sleep(left)

    async def _send(self, stream: Stream, number: int, at: float) -> None:
        caller = stream.first_caller + number % stream.callers
        idle = self._idle.setdefault(caller, deque())
        while idle and idle[-1].lost:
            idle.pop()
        connection = idle.pop() if idle else await self._connect(caller)
        self._open += 1

        def answered(status: int) -> None:
            self._open -= 1
            seconds = self._loop.time() - self._start - at
            self._answers.append(Answer(stream.kind, at, seconds, status, stream.images))
            idle.append(connection)

        connection.send(stream.requests[number % len(stream.requests)], answered)

    async def _connect(self, caller: int) -> _Connection:
        transport, connection = await self._loop.create_connection(
            _Connection, "127.0.0.1", self._port, local_addr=(f"127.0.0.{caller}", 0)
        )
        connection.transport = transport
        return connection


def _times(streams: Sequence[Stream], seconds: float) -> Iterator[tuple[float, int]]:
    """When each request leaves, and of which stream it is, in order; the same in every run."""
    chance = random.Random(9)  # noqa: S311 - arrivals, not secrets
    following = [
        (chance.expovariate(s.per_second), i) for i, s in enumerate(streams) if s.per_second
    ]
    heapq.heapify(following)
    while following:
        at, which = following[0]
        if at > seconds:
            return
        yield at, which
        heapq.heapreplace(following, (at + chance.expovariate(streams[which].per_second), which))


def percentile(seconds: Sequence[float], share: float) -> float:
    """The nearest-rank percentile; nan of nothing."""
    ordered = sorted(seconds)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan
