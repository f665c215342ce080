"""Embedding a collection's images anew, from the originals where they are at hand, else from thumbnails."""

from __future__ import annotations

import base64
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lookalike_service.errors import LookalikeError
from lookalike_service.images import Limits
from lookalike_service.jobs.runner import Task
from lookalike_service.schemas.trainings import UnusedImage
from lookalike_service.spaces import Space
from lookalike_service.store.protocol import MADE_FROM, Point, Record, pinned
from lookalike_service.workflows.job_embedding import JobEmbedding
from lookalike_service.workflows.originals import read_original

_PAGE = 256
_BATCH = 32


@dataclass(frozen=True, slots=True)
class Failed:
    """An image that has no vector by the new encoder, the hash of what was tried, and why."""

    sha256: str
    image: UnusedImage


class Filling:
    """Fills the target space until it lacks nothing that can be read; `fill` once.

    After it: `sample`, ids drawn evenly from the target; `points` and `from_thumbnails`, what it holds;
    `failed`, by id what it lacks.
    """

    def __init__(
        self, embedding: JobEmbedding, task: Task, former: Space, target: Space, *, seed: int
    ) -> None:
        self._embedding, self._task, self._target = embedding, task, target
        self._former_name = pinned(task.collection, former.id)
        self._target_name = pinned(task.collection, target.id)
        self._limits = Limits(task.settings.max_image_bytes, task.settings.max_image_pixels)
        self._random = random.Random(seed)  # noqa: S311 (a sample, no secret)
        self._done = self._total = 0
        self.sample: list[str] = []
        self.points = 0
        self.from_thumbnails = 0
        self.failed: dict[str, Failed] = {}

    def fill(self, *, sample: int) -> None:
        """Go over the collection until a pass finds nothing more to embed, then over the target.

        Images indexed meanwhile are written in both spaces by whoever indexes them; another pass finds
        those whose writing began before that.
        """
        while self._pass():
            pass
        self._survey(sample)

    def _pass(self) -> int:
        """Embed what the target lacks; how many were written."""
        written, failed = 0, dict[str, Failed]()
        self._done, self._total = 0, self._task.store.count(self._former_name)
        for page in self._pages(self._former_name):
            ids = [record.id for record in page]
            lacking = self._task.store.lacking(self._task.collection, self._target.id, ids)
            hashes = {record.id: record.payload["sha256"] for record in page}
            again = {id for id in lacking if self._failed_before(id, hashes[id])}
            failed |= {id: self.failed[id] for id in again}
            todo = [id for id in lacking if id not in again]
            self._done += len(ids) - len(todo)
            for at in range(0, len(todo), _BATCH):
                self._say()
                written += self._embed(todo[at : at + _BATCH], failed)
                self._done += len(todo[at : at + _BATCH])
        self.failed = failed
        return written

    def _say(self) -> None:
        self._task.progress("embedding", self._done, self._total)

    def _failed_before(self, id: str, sha256: str) -> bool:
        return id in self.failed and self.failed[id].sha256 == sha256

    def _embed(self, ids: Sequence[str], failed: dict[str, Failed]) -> int:
        records = self._task.store.retrieve(self._former_name, ids, thumbnails=True)
        pictures = [self._picture(record) for record in records]
        results = self._embedding.embed(self._target, [data for data, _ in pictures], self._say)
        points = []
        for record, (_, original), result in zip(records, pictures, results, strict=True):
            key, sha256 = record.payload["key"], record.payload["sha256"]
            if isinstance(result, LookalikeError):
                why = UnusedImage(id=key, code=result.code, detail=result.detail)
                failed[record.id] = Failed(sha256, why)
            else:
                made = {} if original else {MADE_FROM: "thumbnail"}
                points.append(Point(record.id, result, {"sha256": sha256} | made))
        return self._task.store.fill(self._task.collection, self._target.id, points)

    def _picture(self, record: Record) -> tuple[bytes, bool]:
        """What is embedded of an image, and whether it is the original."""
        original = read_original(record, self._task.settings, self._limits)
        if original is not None:
            return original, True
        return base64.b64decode(record.payload.get("thumbnail") or ""), False

    def _survey(self, sample: int) -> None:
        """Remove what is in the target alone, count, and draw the sample (reservoir sampling)."""
        total = self._task.store.count(self._target_name)
        for page in self._pages(self._target_name):
            self._task.progress("checking", self.points, total)
            self._task.store.lacking(
                self._task.collection, self._target.id, [record.id for record in page]
            )
            for record in page:
                self.points += 1
                self.from_thumbnails += MADE_FROM in record.payload
                if len(self.sample) < sample:
                    self.sample.append(record.id)
                elif (place := self._random.randrange(self.points)) < sample:
                    self.sample[place] = record.id

    def _pages(self, name: str) -> Iterator[list[Record]]:
        cursor: str | None = None
        while True:
            page, cursor = self._task.store.scroll(name, limit=_PAGE, cursor=cursor)
            yield page
            if cursor is None:
                return
