"""What runs on the machines of a Ray cluster: each process reads, decodes, embeds and stores on its own."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from lookalike.errors import LookalikeError, error_for
from lookalike.results import ItemError
from lookalike_indexer.pipeline import READERS, Loaded, Outcome, Task, read_ahead, send
from lookalike_indexer.sources.item import Item
from lookalike_indexer.targets import Target, open_direct


@dataclass(frozen=True, slots=True)
class Answer:
    """What a worker says of a block of items: each one's outcome, in order, and what the stages did for it.

    `workers` is how many work side by side at each stage of one process.
    """

    outcomes: Sequence[Outcome]
    stages: Mapping[str, Sequence[float]]
    workers: Mapping[str, int]


class Worker:
    """One process of the actor pool: a target like that of `--direct`, and threads that read.

    `environment`: the settings of the process that began the run. Whatever stops the whole run is answered
    as such, so that it is raised there as it would be without Ray.
    """

    def __init__(self, name: str, qdrant_url: str, environment: Mapping[str, str]) -> None:
        os.environ.update(environment)
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="lookalike-read")
        self._target: Target | LookalikeError
        try:
            self._target = open_direct(name, qdrant_url=qdrant_url)
        except LookalikeError as error:
            self._target = error
        else:
            self._senders = ThreadPoolExecutor(self._target.at_once, "lookalike-send")

    def __call__(self, block: dict[str, Any]) -> dict[str, Any]:
        """Index the items of a block, as `map_batches` asks: columns in, columns out."""
        (items,) = block["items"]
        try:
            if isinstance(self._target, LookalikeError):
                raise self._target
            said = self._index(self._target, pickle.loads(items))  # noqa: S301 - the driver's, by Ray
        except LookalikeError as error:
            said = {"stopped": [error.code, error.detail, error.status]}
        return {"answer": [json.dumps(said)]}

    def _index(self, target: Target, items: Sequence[Item]) -> dict[str, Any]:
        unread: list[Outcome] = []
        read = read_ahead((Task(item, "") for item in items), self._readers, target.stages)
        sent = send(target, _loaded(read, unread), self._senders)
        outcomes = {outcome.task.item.id: outcome for some in sent for outcome in some}
        outcomes |= {outcome.task.item.id: outcome for outcome in unread}
        return {
            "outcomes": [_told(outcomes[item.id]) for item in items],
            "stages": target.stages.take(),
            "workers": {"read": READERS, **target.workers},
        }


def _loaded(read: Iterable[Loaded | Outcome], unread: list[Outcome]) -> Iterator[Loaded]:
    """What could be read; the rest goes to `unread`."""
    for one in read:
        if isinstance(one, Outcome):
            unread.append(one)
        else:
            yield one


def _told(outcome: Outcome) -> list[str | None]:
    error = outcome.error
    return [outcome.sha256, outcome.status, *([error.code, error.detail] if error else [])]


def answer(said: str, tasks: Sequence[Task]) -> Answer:
    """What a worker said of the items of these tasks. Raises what stopped it."""
    found = json.loads(said)
    if "stopped" in found:
        code, detail, status = found["stopped"]
        raise error_for(code, detail, status=status)
    outcomes = [
        Outcome(task, sha256, status, ItemError(*error) if error else None)
        for task, (sha256, status, *error) in zip(tasks, found["outcomes"], strict=True)
    ]
    return Answer(outcomes, found["stages"], found["workers"])
