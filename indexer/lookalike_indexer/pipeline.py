"""Files through the client: read and hashed in threads, sent in batches, several at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Literal

from lookalike.client import Collection
from lookalike.errors import ImageError, Internal, InvalidRequest, LookalikeError
from lookalike.results import IndexItem, ItemError
from lookalike_indexer.sources import SourceFile

MAX_IMAGES = 16
MAX_BYTES = 16 * 2**20
MAX_FILE_BYTES = 256 * 2**20  # the service's default limit on a whole request; keeps memory bounded
IN_FLIGHT = 4


@dataclass(frozen=True, slots=True)
class Task:
    """A file to send, unless its SHA-256 is still `known_sha256`."""

    file: SourceFile
    known_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a file: `status` with `sha256`, or `error`; `skipped` was not sent."""

    file: SourceFile
    status: Literal["created", "updated", "unchanged", "skipped"] | None = None
    sha256: str = ""
    error: ItemError | None = None


@dataclass(frozen=True, slots=True)
class _Loaded:
    file: SourceFile
    data: bytes
    sha256: str


def upload(
    collection: Collection, tasks: Iterable[Task], *, in_flight: int = IN_FLIGHT
) -> Iterator[list[Outcome]]:
    """Send all files; the outcomes of each batch as it ends, in no particular order.

    At most `2 * in_flight` batches are under way, so that memory does not grow with the number of
    files. A file that fails stops nothing. Raises what concerns them all: ConnectionFailed,
    UnknownCollection, Overloaded that outlasts the client's retries, and the like.
    """
    pending: set[Future[list[Outcome]]] = set()
    pool = ThreadPoolExecutor(in_flight, thread_name_prefix="lookalike-upload")
    try:
        for batch in batches(tasks):
            pending.add(pool.submit(_upload_batch, collection, batch))
            if len(pending) == 2 * in_flight:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    finally:
        pool.shutdown(cancel_futures=True)


def batches(
    tasks: Iterable[Task], *, max_images: int = MAX_IMAGES, max_bytes: int = MAX_BYTES
) -> Iterator[list[Task]]:
    """Consecutive tasks of at most so many images and bytes; a larger file is alone."""
    batch: list[Task] = []
    size = 0
    for task in tasks:
        if batch and (len(batch) == max_images or size + task.file.size > max_bytes):
            yield batch
            batch, size = [], 0
        batch.append(task)
        size += task.file.size
    if batch:
        yield batch


def _upload_batch(collection: Collection, batch: Sequence[Task]) -> list[Outcome]:
    outcomes: list[Outcome] = []
    changed: list[_Loaded] = []
    for task in batch:
        loaded = _load(task.file)
        if isinstance(loaded, Outcome):
            outcomes.append(loaded)
        elif loaded.sha256 == task.known_sha256:
            outcomes.append(Outcome(task.file, "skipped", loaded.sha256))
        else:
            changed.append(loaded)
    return outcomes + (_send(collection, changed) if changed else [])


def _load(file: SourceFile) -> _Loaded | Outcome:
    if file.size > MAX_FILE_BYTES:
        detail = f"The file has {file.size} bytes; at most {MAX_FILE_BYTES} are sent."
        return Outcome(file, error=ItemError("image_too_large", detail))
    try:
        data = file.path.read_bytes()
    except OSError as error:
        return Outcome(file, error=ItemError("unreadable_file", error.strerror or str(error)))
    return _Loaded(file, data, hashlib.sha256(data).hexdigest())


def _send(collection: Collection, batch: Sequence[_Loaded]) -> list[Outcome]:
    """Send a batch; one that is refused as a whole is halved until the file at fault is alone."""
    try:
        result = collection.add(
            [loaded.data for loaded in batch],
            ids=[loaded.file.id for loaded in batch],
            metadata=[loaded.file.metadata for loaded in batch],
            sources=[str(loaded.file.path) for loaded in batch],
        )
    except LookalikeError as error:
        if not _may_be_one_file(error):
            raise
        if len(batch) == 1:
            return [Outcome(batch[0].file, error=ItemError(error.code, error.detail))]
        middle = len(batch) // 2
        return _send(collection, batch[:middle]) + _send(collection, batch[middle:])
    return [_outcome(loaded, item) for loaded, item in zip(batch, result, strict=True)]


def _may_be_one_file(error: LookalikeError) -> bool:
    # 413 may also come from a proxy, without a code.
    return isinstance(error, (InvalidRequest, ImageError, Internal)) or error.status == 413


def _outcome(loaded: _Loaded, item: IndexItem) -> Outcome:
    return Outcome(loaded.file, item.status, loaded.sha256, item.error)
