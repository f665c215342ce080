"""Images read and hashed in threads, in order, and sent in batches, several at a time; all within bounds."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

from lookalike.errors import ImageError, Internal, InvalidRequest, LookalikeError
from lookalike.results import IndexItem, ItemError
from lookalike_indexer.journal import Known
from lookalike_indexer.sources.item import MAX_FILE_BYTES, Item, Unreadable, failure
from lookalike_indexer.stages import Work
from lookalike_indexer.targets import Target

READERS = 8
READ_AHEAD = 64
MAX_BYTES = 16 * 2**20
"""Of a request, and a quarter of what is read ahead; a larger file is alone."""


@dataclass(frozen=True, slots=True)
class Task:
    """An item to read; `known` is what the journal says of it."""

    item: Item
    source_key: str
    known: Known | None = None


@dataclass(frozen=True, slots=True)
class Loaded:
    """An item that was read."""

    task: Task
    data: bytes
    sha256: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an item: `status`, or `error`."""

    task: Task
    sha256: str = ""
    status: Literal["created", "updated", "unchanged"] | None = None
    error: ItemError | None = None


class Spread(Protocol):
    """Processes that read and index on their own, such as those of a cluster."""

    def index(self, tasks: Iterable[Task]) -> Iterator[list[Outcome]]:
        """Read and index all, copies too; what became of them, in order. Raises what `send` does."""

    def workers(self) -> Mapping[str, int]:
        """How many work side by side at each stage, in all of them."""


@contextmanager
def threads(count: int, name: str) -> Iterator[ThreadPoolExecutor]:
    """Threads that finish what they have begun and nothing else when they are left."""
    pool = ThreadPoolExecutor(count, thread_name_prefix=f"lookalike-{name}")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


# -- reading


def read_ahead(
    tasks: Iterable[Task], pool: ThreadPoolExecutor, stages: Work
) -> Iterator[Loaded | Outcome]:
    """Each task read, in order, or why it cannot be."""
    reading: deque[tuple[Future[Loaded | Outcome], int]] = deque()
    size = 0
    for task in tasks:
        bytes_ = task.item.size or 0
        while reading and (len(reading) == READ_AHEAD or size + bytes_ > 4 * MAX_BYTES):
            future, freed = reading.popleft()
            size -= freed
            yield future.result()
        reading.append((pool.submit(_read, task, stages), bytes_))
        size += bytes_
    while reading:
        yield reading.popleft()[0].result()


def _read(task: Task, stages: Work) -> Loaded | Outcome:
    with stages.at("read"):
        size = task.item.size
        if size is not None and size > MAX_FILE_BYTES:
            detail = f"The file has {size} bytes; at most {MAX_FILE_BYTES} are sent."
            return Outcome(task, error=ItemError("image_too_large", detail))
        try:
            data = task.item.read()
        except (OSError, Unreadable) as error:
            why = failure(task.item.source, error)
            return Outcome(task, error=ItemError(why.code, why.detail))
        return Loaded(task, data, hashlib.sha256(data).hexdigest())


# -- sending


def batches(
    loaded: Iterable[Loaded], max_images: int, max_bytes: int = MAX_BYTES
) -> Iterator[list[Loaded]]:
    """Consecutive ones of at most so many images and bytes; a larger file is alone."""
    batch: list[Loaded] = []
    size = 0
    for one in loaded:
        if batch and (len(batch) == max_images or size + len(one.data) > max_bytes):
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += len(one.data)
    if batch:
        yield batch


def send(
    target: Target, loaded: Iterable[Loaded], pool: ThreadPoolExecutor
) -> Iterator[list[Outcome]]:
    """Send all; the outcomes of each batch as it ends. At most `target.at_once` are under way.

    An image that fails stops nothing. Raises what concerns them all: ConnectionFailed, UnknownCollection,
    Overloaded that outlasts the client's retries, and the like.
    """
    pending: set[Future[list[Outcome]]] = set()
    for batch in batches(loaded, target.batch_images):
        pending.add(pool.submit(_send_timed, target, batch))
        if len(pending) > target.at_once:  # one in store, so that no thread waits for it
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    while pending:
        done, pending = wait(pending, return_when=FIRST_COMPLETED)
        yield from (future.result() for future in done)


def _send_timed(target: Target, batch: Sequence[Loaded]) -> list[Outcome]:
    with target.stages.at("service", len(batch)):
        return _send(target, batch)


def _send(target: Target, batch: Sequence[Loaded]) -> list[Outcome]:
    """Send a batch; one that is refused as a whole is halved until the image at fault is alone."""
    items = [one.task.item for one in batch]
    try:
        result = target.add(
            [one.data for one in batch],
            ids=[item.id for item in items],
            metadata=[item.metadata for item in items],
            sources=[item.source for item in items],
        )
    except LookalikeError as error:
        if not _may_be_one_image(error):
            raise
        if len(batch) == 1:
            why = ItemError(error.code, error.detail)
            return [Outcome(batch[0].task, batch[0].sha256, error=why)]
        middle = len(batch) // 2
        return _send(target, batch[:middle]) + _send(target, batch[middle:])
    return [_outcome(one, item) for one, item in zip(batch, result, strict=True)]


def _may_be_one_image(error: LookalikeError) -> bool:
    # 413 may also come from a proxy, without a code.
    return isinstance(error, (InvalidRequest, ImageError, Internal)) or error.status == 413


def _outcome(one: Loaded, item: IndexItem) -> Outcome:
    return Outcome(one.task, one.sha256, item.status, item.error)
