"""When a batch begins: BentoML's dispatcher, told by events instead of asking every millisecond.

BentoML's own waits for company by what past batches waited, which after a burst holds lone images for 20 to
100 ms, and while all passes are under way it looks a thousand times a second whether one has ended. Here an
image waits for company only while it could not run anyway or while others are known to come, and by no clock
but its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NoReturn

from bentoml._internal.marshal.dispatcher import CorkDispatcher, Job
from bentoml.exceptions import ServiceUnavailable

_UNUSED = 1
"""BentoML drops what it believes to take longer than so many milliseconds, in code that does not run here."""


def _nobody() -> int:
    return 0


def _stopped() -> NoReturn:
    """What those get who still wait when the service stops."""
    raise ServiceUnavailable("The service stops.")


class Dispatcher(CorkDispatcher[Any, Any]):
    """Begins a pass at once where the model is idle and no image is coming.

    Else when the pass is full, or its first image waited enough. `standby`: passes that may be begun beyond
    those that the model runs at the same time, so that it finds the next one ready. `max_wait`: seconds that
    an image waits for others to join its pass. `coming`: how many others are on their way just now.
    """

    def __init__(self, batch: int) -> None:
        super().__init__(_UNUSED, batch, fallback=_stopped, get_batch_size=len)
        self._timer: asyncio.TimerHandle | None = None
        self._woken = False
        self.fit(batch=batch, passes=1, standby=0, max_wait=0)

    def fit(
        self,
        *,
        batch: int,
        passes: int,
        standby: int,
        max_wait: float,
        coming: Callable[[], int] = _nobody,
    ) -> None:
        """Batch no more, and have no more passes under way, than was measured to pay; before the first."""
        self.max_batch_size, self._free = batch, passes
        self.standby, self.max_wait, self.coming = standby, max_wait, coming

    async def controller(self) -> None:
        """Nothing: whatever happens calls `_begin`."""

    async def inbound_call(self, data: Any) -> Any:
        """Join a batch; its answer, or the error to raise."""
        job: Job[Any, Any] = Job(self._loop.time(), data, self._loop.create_future())
        self._queue.append(job)
        if not self._woken:  # once for all that come in this turn of the loop
            self._woken = True
            self._loop.call_soon(self._begin)
        return await job.future

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
        if self._free > self.standby and not self.coming():
            return False
        left = self._queue[0].enqueue_time + self.max_wait - self._loop.time()
        if left <= 0:
            return False
        if self._timer is None:
            self._timer = self._loop.call_later(left, self._waited)
        return True

    def _waited(self) -> None:
        self._timer = None
        self._begin()
