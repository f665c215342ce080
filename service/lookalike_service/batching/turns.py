"""Turns: work is accepted or refused when it comes, waits in a fair queue, and begins when there is a place.

There are only as many places as keep the decoders and the model busy. What waits has not been decoded yet:
it costs no memory but the file, can be overtaken by what is more urgent, and is dropped when nobody wants it
any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType

import structlog

from lookalike_service.batching.bounds import Bounds, Size, refusal
from lookalike_service.batching.fair_queue import Entry, FairQueue
from lookalike_service.batching.meter import Meter
from lookalike_service.batching.work import ClientGone, Priority, Work
from lookalike_service.errors import Overloaded
from lookalike_service.telemetry.metrics import Metrics

log = structlog.get_logger(__name__)

_TELL_EVERY = 10.0
"""Seconds."""

_BRIEF = 0.125
"""While far more comes than can be done, so much of what the places hold may wait: the next one that comes
is never far, and those who are accepted hardly wait."""


def _nothing() -> None:
    pass


class Turns:
    """Belongs to one event loop; not thread-safe.

    `images`, `pixels`: accepted and not answered; `coming`: images that are being decoded just now, and
    `none_coming` is called when the last of them was.
    `places`: turns under way at the same time. While far more comes than can be done, and of bulk while
    people search, only `fewest`, which keep everything busy: more are not done sooner, but each takes longer.
    """

    def __init__(
        self,
        bounds: Bounds,
        places: int,
        metrics: Metrics | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.bounds = bounds
        self.fit(places, places)
        self.images = self.pixels = self.coming = 0
        self._metrics, self._clock = metrics or Metrics(), clock
        self._queue, self._meter = FairQueue[Turn](), Meter(bounds.seconds)
        self._running = self._decoding = 0
        self._held = Counter[str]()
        self._told = -_TELL_EVERY
        self.none_coming: Callable[[], None] = _nothing

    def fit(self, places: int, fewest: int) -> None:
        """Set how many turns are under way at the same time."""
        self.places, self.fewest = places, fewest

    def waiting(self, priority: Priority) -> int:
        """How many turns of this priority have not begun."""
        return self._queue.waiting(priority)

    @contextlib.contextmanager
    def admitted(
        self, work: Work, priority: Priority, sizes: Sequence[Size]
    ) -> Iterator[list[Turn]]:
        """Accept this work; its turns are to be taken inside. Those that are not are given up at the end.

        Raises Overloaded at once if it must not wait.
        """
        total = Size(sum(size.images for size in sizes), sum(size.pixels for size in sizes))
        self._meter.offer(priority, total.cost, self._clock())
        self._check(work.caller, priority, total)
        self._hold(work.caller, total, 1)
        turns = [Turn(self, work, priority, size, self._clock()) for size in sizes]
        for turn in turns:
            turn.entry = self._queue.push(priority, work.caller, turn, turn.size.cost)
        self._begin()
        watch = self._watch(work, turns)
        try:
            yield turns
        finally:
            if watch is not None:
                watch.cancel()
            for turn in turns:
                turn.give_up()
            self._hold(work.caller, total, -1)
            self._begin()

    def check(self, caller: str, priority: Priority) -> None:
        """Return if one more image would be accepted now. Raises Overloaded, and counts it as offered."""
        try:
            self._check(caller, priority, Size())
        except Overloaded:
            self._meter.offer(priority, None, self._clock())
            raise

    def dropped(self, reason: str, images: int) -> None:
        """Count accepted images that are not embedded."""
        self._metrics.dropped.labels(reason).inc(images)

    def leave(self, entry: Entry[Turn]) -> None:
        """Have a turn wait no longer."""
        self._queue.drop(entry)

    def late(self, work: Work) -> bool:
        """Whether the deadline has passed."""
        return work.deadline is not None and self._clock() > work.deadline

    def ended(self, turn: Turn) -> None:
        """Give a place back."""
        self._running -= 1
        backlog = len(self._queue) > 0
        self._meter.finish(turn.priority, turn.size.cost, self._clock(), backlog=backlog)
        self._begin()

    def decoded(self, pixels: int) -> None:
        """Give back what decoding an image took."""
        self._decoding -= pixels
        self.coming -= 1
        self._begin()
        if not self.coming:
            self.none_coming()

    def _check(self, caller: str, priority: Priority, more: Size) -> None:
        try:
            if self.images:  # an idle service takes whatever is allowed in one request
                self._check_room(caller, more)
                self._check_wait(caller, priority)
        except Overloaded as error:
            self._metrics.refused.labels(error.context["reason"]).inc()
            self._tell(error)
            raise

    def _tell(self, error: Overloaded) -> None:
        """Log a refusal, unless one was logged a moment ago: there may be thousands in a second."""
        now = self._clock()
        if now - self._told > _TELL_EVERY:
            self._told = now
            log.warning("refusing requests", why=error.detail, images=self.images)

    def _check_room(self, caller: str, more: Size) -> None:
        most, free = self.bounds.images, self.bounds.images - self.images - more.images
        if free < 0:
            raise refusal(
                "images",
                self._seconds(-free),
                f"{self.images} images are waiting and at most {most} may.",
            )
        held = self._held[caller]
        if held + more.images > free:
            raise refusal(
                "images",
                self._seconds((held + more.images - free) / 2),
                f"{self.images} images are waiting, {held} of them yours: of {most}, one caller may have as "
                "many waiting as are left to others.",
            )
        if self.pixels + more.pixels > self.bounds.pixels:
            raise refusal(
                "pixels",
                self._seconds(Size(0, self.pixels + more.pixels - self.bounds.pixels).cost),
                f"Images of {self.pixels:,} pixels are waiting and at most {self.bounds.pixels:,} may.",
            )

    def _check_wait(self, caller: str, priority: Priority) -> None:
        now = self._clock()
        speed = self._meter.speed(priority, now)
        if speed is None:
            return
        ahead, most = self._queue.ahead(priority, caller), speed * self.bounds.seconds(priority)
        flooded = self._meter.overloaded(priority, now)
        if flooded:
            most = min(most, self.fewest * _BRIEF)
        if ahead > most:
            why = (
                "Far more comes than can be done, so hardly anything may wait."
                if flooded
                else f"This would wait {ahead / speed:.1f} s for its turn, longer than is accepted."
            )
            raise refusal("wait", (ahead - most) / speed, why)

    def _seconds(self, cost: float) -> float:
        return cost / self._meter.rate if self._meter.rate else 0.0

    def _hold(self, caller: str, total: Size, sign: int) -> None:
        self.images += sign * total.images
        self.pixels += sign * total.pixels
        self._held[caller] += sign * total.images
        if not self._held[caller]:
            del self._held[caller]

    def _begin(self) -> None:
        while (entry := self._queue.next()) is not None:
            full = self._running >= self._places(entry.item.priority)
            if full or not self._fits(entry.item.size.pixels):
                return
            self._queue.take()
            if self.late(entry.item.work):
                entry.item.fail_late()
                continue
            waited = self._clock() - entry.item.since
            self._metrics.queue_wait.labels(entry.item.priority).observe(waited)
            self._running += 1
            if entry.item.size.pixels:
                self._decoding += entry.item.size.pixels
                self.coming += 1
            entry.item.begin()

    def _places(self, priority: Priority) -> int:
        """What is under way cannot be overtaken, so beside people's searches bulk has few places."""
        now = self._clock()
        flooded = self._meter.overloaded("interactive", now) or self._meter.overloaded("bulk", now)
        beside = priority == "bulk" and self._meter.recently("interactive", now)
        return self.fewest if flooded or beside else self.places

    def _fits(self, pixels: int) -> bool:
        return not self._decoding or self._decoding + pixels <= self.bounds.decoding

    def _watch(self, work: Work, turns: Sequence[Turn]) -> asyncio.Task[None] | None:
        """Watch the client while its work waits; what begins at once is done before anybody could leave."""
        if work.left is None or turns[-1].begun:
            return None
        return asyncio.get_running_loop().create_task(self._drop_when_gone(work, turns))

    async def _drop_when_gone(self, work: Work, turns: Sequence[Turn]) -> None:
        assert work.left is not None  # noqa: S101 - else nothing is watched
        await work.left()
        work.gone = True
        for turn in turns:
            turn.fail_gone()
        self._begin()


class Turn:
    """The turn of one image: entered when its time comes, left when its place is free again."""

    __slots__ = (
        "_decoding", "_future", "_over", "_turns", "begun", "entry", "priority", "since", "size", "work",
    )  # fmt: skip

    def __init__(
        self, turns: Turns, work: Work, priority: Priority, size: Size, since: float
    ) -> None:
        self._turns, self.work, self.priority, self.size = turns, work, priority, size
        self.since = since
        self.entry: Entry[Turn] | None = None
        self.begun = self._over = self._decoding = False
        self._future: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Turn:
        """Wait for it. Raises ClientGone, and Overloaded if the deadline passes."""
        if not self.begun:
            self._future = self._future or asyncio.get_running_loop().create_future()
            await self._future
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the place to the next."""
        self.give_up()

    def decoded(self) -> None:
        """Its pixels are no longer held. Raises ClientGone and Overloaded if nobody wants the rest."""
        self._free_pixels()
        if self.work.gone:
            self._turns.dropped("client_gone", self.size.images)
            raise ClientGone
        if self._turns.late(self.work):
            raise self._late()

    def begin(self) -> None:
        """Its time has come."""
        self.begun, self._decoding = True, self.size.pixels > 0
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    def fail_gone(self) -> None:
        """Drop it, unless it has begun."""
        if self._drop():
            self._turns.dropped("client_gone", self.size.images)
            self._fail(ClientGone())

    def fail_late(self) -> None:
        """Drop it: it was taken from the queue too late."""
        self._over = True
        self._fail(self._late())

    def give_up(self) -> None:
        """Leave the queue, or the place; nothing if that was done before."""
        if self._over:
            return
        if self.begun:
            self._over = True
            self._free_pixels()
            self._turns.ended(self)
        elif self._drop() and self._future is not None:
            self._future.cancel()

    def _late(self) -> Overloaded:
        self._turns.dropped("deadline", self.size.images)
        return Overloaded("This image's turn did not come before the deadline that you set.")

    def _drop(self) -> bool:
        if self.begun or self._over:
            return False
        self._over = True
        if self.entry is not None:
            self._turns.leave(self.entry)
        return True

    def _fail(self, error: Exception) -> None:
        if self._future is None:
            self._future = asyncio.get_running_loop().create_future()
        if not self._future.done():
            self._future.set_exception(error)
            self._future.exception()  # seen, also where nobody comes to wait for it

    def _free_pixels(self) -> None:
        if self._decoding:
            self._decoding = False
            self._turns.decoded(self.size.pixels)
