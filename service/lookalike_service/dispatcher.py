"""When a batch begins: BentoML's dispatcher, told by events instead of asking every millisecond.

BentoML's own waits for company by what past batches waited, which after a burst holds lone images for 20 to
100 ms, and while all passes are under way it looks a thousand times a second whether one has ended. Here an
image waits for company only while it could not run anyway or while others are known to come, and by no clock
but its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from bentoml._internal.marshal.dispatcher import CorkDispatcher, Job
from bentoml.exceptions import ServiceUnavailable

from lookalike_service.encoders.plans.plan import Plan

_UNUSED = 1
"""BentoML drops what it believes to take longer than so many milliseconds, in code that does not run here."""


@dataclass(frozen=True, slots=True)
class Batching:
    """How images are gathered for a model.

    `most`: in one pass. `passes`: under way at the same time, of which `standby` are beyond those that the
    model runs at the same time, so that it finds the next one ready. `max_wait`: seconds that an image waits
    for others to join its pass.
    """

    most: int
    passes: int
    standby: int
    max_wait: float

    @classmethod
    def of(cls, plan: Plan | None, most: int, max_wait: float) -> Batching:
        """No more, and no longer, than was measured to pay; one pass at a time if nothing was."""
        if plan is None:
            return cls(most, passes=1, standby=0, max_wait=max_wait)
        passes = plan.passes_at_once
        return cls(plan.pipelined_batch(most), passes, passes - plan.streams, plan.wait(max_wait))


def _stopped() -> NoReturn:
    """What those get who still wait when the service stops."""
    raise ServiceUnavailable("The service stops.")


class Dispatcher(CorkDispatcher[Any, Any]):
    """Begins a pass at once where the model is idle and no image is coming.

    Else when the pass is full, or its first image waited enough.
    """

    def __init__(self, batch: int) -> None:
        super().__init__(_UNUSED, batch, fallback=_stopped, get_batch_size=len)
        self._timer: asyncio.TimerHandle | None = None
        self._woken = False
        self.fit(Batching(batch, passes=1, standby=0, max_wait=0))

    def fit(self, batching: Batching, coming: Callable[[], int] | None = None) -> None:
        """Gather images like this; before the first. `coming`: how many are on their way just now."""
        self.max_batch_size, self._free = batching.most, batching.passes
        self._standby, self._max_wait = batching.standby, batching.max_wait
        self._coming = coming or (lambda: 0)

    async def controller(self) -> None:
        """Nothing: whatever happens calls `_begin`."""

    async def inbound_call(self, data: Any) -> Any:
        """Join a batch; its answer, or the error to raise."""
        job: Job[Any, Any] = Job(self._loop.time(), data, self._loop.create_future())
        self._queue.append(job)
        self.look()
        return await job.future

    def look(self) -> None:
        """See soon whether a pass can begin: something comes, or nothing will any more."""
        if not self._woken:  # once for all that come in this turn of the loop
            self._woken = True
            self._loop.call_soon(self._begin)

    async def outbound_call(
        self,
        inputs_info: tuple[Job[Any, Any], ...],
        training: bool = False,  # noqa: ARG002 - BentoML's; nothing is trained here
    ) -> None:
        """Run a pass and answer each of its images; then begin the next."""
        answers: list[Any] = []
        try:
            answers = list(await self.callback([job.data for job in inputs_info]))
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody may wait for ever
            answers = [error] * len(inputs_info)
        finally:
            answers += [RuntimeError("no answer")] * (len(inputs_info) - len(answers))
            for job, answer in zip(inputs_info, answers, strict=True):
                if not job.future.done():
                    job.future.set_result(answer)
            self._free += 1
            self._begin()

    def _begin(self) -> None:
        self._woken = False
        while self._queue and self._free and not self._waits():
            self._free -= 1
            self._loop.create_task(self.outbound_call(tuple(self._get_inputs())))

    def _waits(self) -> bool:
        """Whether the first image should wait for others; then it is looked at again in time."""
        if len(self._queue) >= self.max_batch_size:
            return False
        if self._free > self._standby and not self._coming():
            return False
        left = self._queue[0].enqueue_time + self._max_wait - self._loop.time()
        if left <= 0:
            return False
        if self._timer is None:
            self._timer = self._loop.call_later(left, self._waited)
        return True

    def _waited(self) -> None:
        self._timer = None
        self._begin()
