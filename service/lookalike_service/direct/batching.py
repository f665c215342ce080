"""Full batches for the model from images that are decoded one by one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from lookalike_service.encoders.batch import EncodeItem, Outcome

_WAIT_SECONDS = 0.2
"""How long images may wait for a full batch. Nobody waits for a single one here."""


class Batcher:
    """Gathers images into passes of `size`, at most `at_once` under way. Belongs to one event loop.

    A pass that is not full begins when none has begun for _WAIT_SECONDS. `encode` answers each of its
    items, and does not raise for the model's sake.
    """

    def __init__(
        self, encode: Callable[[Sequence[EncodeItem]], list[Outcome]], *, size: int, at_once: int
    ) -> None:
        self._encode, self._size, self._free = encode, size, at_once
        self._waiting = deque[tuple[EncodeItem, asyncio.Future[Outcome]]]()
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix="model")
        self._passes = set[asyncio.Task[None]]()
        self._timer: asyncio.TimerHandle | None = None
        self._overdue = False

    async def infer(self, item: EncodeItem) -> Outcome:
        """Join a pass; the item's outcome."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        self._begin()
        return await future

    def close(self) -> None:
        """Stop the threads."""
        if self._timer is not None:
            self._timer.cancel()
        self._threads.shutdown(cancel_futures=True)

    def _begin(self) -> None:
        while self._free and (
            len(self._waiting) >= self._size or (self._overdue and self._waiting)
        ):
            count = min(self._size, len(self._waiting))
            batch = [self._waiting.popleft() for _ in range(count)]
            self._free -= 1
            self._overdue = False
            task = asyncio.ensure_future(self._run(batch))
            self._passes.add(task)
            task.add_done_callback(self._passes.discard)
        if self._waiting and self._timer is None and not self._overdue:
            self._timer = asyncio.get_running_loop().call_later(_WAIT_SECONDS, self._waited)

    def _waited(self) -> None:
        self._timer = None
        self._overdue = True
        self._begin()

    async def _run(self, batch: Sequence[tuple[EncodeItem, asyncio.Future[Outcome]]]) -> None:
        loop = asyncio.get_running_loop()
        try:
            outcomes = await loop.run_in_executor(
                self._threads, self._encode, [item for item, _ in batch]
            )
            for (_, future), outcome in zip(batch, outcomes, strict=True):
                if not future.done():
                    future.set_result(outcome)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody may wait for ever
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
        finally:
            self._free += 1
            self._begin()
