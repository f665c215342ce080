"""Indexing spread over a Ray cluster: Ray Data over what was listed here, with an actor pool of encoders.

This process lists the sources, keeps the journal and reports, as in every run; the actors read, decode, embed
and write to the same Qdrant server. An actor or machine that dies is replaced and its blocks are done again,
which changes nothing that is stored.
"""

from __future__ import annotations

import logging
import os
import pickle
import socket
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from itertools import islice
from typing import TYPE_CHECKING, Any

from lookalike.errors import Internal, InvalidInput
from lookalike_indexer.pipeline import Outcome, Task
from lookalike_indexer.ray_worker import Worker, answer
from lookalike_indexer.targets import Target

if TYPE_CHECKING:
    import pyarrow

BLOCK_ITEMS = 128
WINDOW_BYTES = 2**29
"""Of what is sent to Ray at a time, some million items that are read elsewhere. After each the actors start
anew, as Ray Data's pools do not outlive their dataset."""

_CONNECT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Pool:
    """So many actors, each with so many cores and so much of a GPU."""

    count: int
    cpus: int
    gpus: float


@dataclass(frozen=True, slots=True)
class Workers:
    """The actor pool that is asked for.

    By default one actor for each GPU, or where there is none for each machine; the cores are shared out.
    """

    count: int | None = None
    cpus: int | None = None
    gpus: float | None = None

    def fitted(self, resources: Mapping[str, float], machines: int) -> Pool:
        """What is None filled in for a cluster. Raises InvalidInput if it cannot hold a single actor."""
        has = {name: resources.get(name, 0.0) for name in ("CPU", "GPU")}
        gpus = min(1.0, has["GPU"]) if self.gpus is None else self.gpus
        count = self.count or max(1, int(has["GPU"] / gpus) if gpus else machines)
        cpus = self.cpus or max(1, int(has["CPU"] / count))
        if cpus > has["CPU"] or gpus > has["GPU"]:
            raise InvalidInput(
                f"A worker of {cpus} CPUs and {gpus:g} GPUs does not fit the Ray cluster, which has "
                f"{has['CPU']:g} and {has['GPU']:g}."
            )
        return Pool(count, cpus, gpus)


class RayEngine:
    """Implements `Spread` for a target on a Qdrant server; use it in `with`.

    Connects to the cluster that RAY_ADDRESS names, or the one this machine is of, else starts one of this
    machine alone. Raises InvalidInput if Ray is not installed or has no room, ConnectionError if the cluster
    is away.
    """

    def __init__(self, target: Target, workers: Workers) -> None:
        try:
            ray: Any = import_module("ray")  # optional, and slow to import
            import_module("ray.data")
        except ImportError as error:
            raise InvalidInput(
                f"--engine ray needs Ray: pip install 'lookalike[service,indexer,ray]' ({error})."
            ) from error
        self._ray = ray
        self._target = target
        self._own = not ray.is_initialized()
        if self._own:
            _check_reachable(os.environ.get("RAY_ADDRESS", ""))
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # as BentoML's: not unasked
            ray.init(logging_level=logging.WARNING, log_to_driver=False)
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        machines = sum(node["Alive"] for node in ray.nodes())
        self._pool = workers.fitted(ray.cluster_resources(), machines)
        self._at_work: Mapping[str, int] = {}

    def __enter__(self) -> RayEngine:
        return self

    def __exit__(self, *_: object) -> None:
        if self._own:
            self._ray.shutdown()

    def workers(self) -> Mapping[str, int]:
        """See `Spread`; nothing before an actor has answered."""
        return self._at_work

    def index(self, tasks: Iterable[Task]) -> Iterator[list[Outcome]]:
        """See `Spread`. Raises Internal if the cluster gives up."""
        tasks = iter(tasks)
        while window := _window(tasks):
            blocks = deque(block for block, _ in window)
            try:
                for row in self._answers([table for _, table in window]):
                    said = answer(row["answer"], blocks.popleft())
                    self._target.stages.add(said.stages)
                    self._at_work = {s: n * self._pool.count for s, n in said.workers.items()}
                    yield list(said.outcomes)
            except self._ray.exceptions.RayError as error:
                raise Internal(f"The Ray cluster could not go on: {error}") from error

    def _answers(self, blocks: list[pyarrow.Table]) -> Iterator[dict[str, Any]]:
        """What the actors say of each block, in order."""
        data, pool = self._ray.data, self._pool
        environment = {k: v for k, v in os.environ.items() if k.startswith("LOOKALIKE_")}
        environment.setdefault("LOOKALIKE_DECODE_THREADS", str(pool.cpus))
        asked = data.from_arrow(blocks).map_batches(
            Worker,
            fn_constructor_args=(self._target.name, self._target.place, environment),
            batch_size=None,  # a block
            num_cpus=pool.cpus,
            num_gpus=pool.gpus or None,
            # Two at a time: one is read while the model is at the other.
            compute=data.ActorPoolStrategy(
                size=min(pool.count, len(blocks)),
                max_tasks_in_flight_per_actor=4,
                max_concurrent_calls_per_actor=2,
                enable_true_multi_threading=True,
            ),
        )
        asked.context.execution_options.preserve_order = True
        asked.context.enable_progress_bars = False
        rows: Iterator[dict[str, Any]] = asked.iter_rows()
        return rows


def _check_reachable(address: str) -> None:
    """Return if a machine answers at host:port. Ray itself would wait for minutes."""
    host, _, port = address.rpartition(":")
    if not port.isdigit() or "://" in address:
        return
    try:
        socket.create_connection((host, int(port)), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        raise ConnectionError(
            f"No Ray cluster answers at RAY_ADDRESS={address}: {error}."
        ) from error


def _window(tasks: Iterator[Task]) -> list[tuple[list[Task], pyarrow.Table]]:
    """As many blocks as are sent at a time; of each the tasks, without what it takes to read them."""
    import pyarrow  # noqa: PLC0415 - comes with Ray Data

    window, size = [], 0
    while size < WINDOW_BYTES and (block := list(islice(tasks, BLOCK_ITEMS))):
        items = pickle.dumps([task.item for task in block])
        size += len(items)
        kept = [replace(task, item=replace(task.item, read=_not_here)) for task in block]
        window.append((kept, pyarrow.table({"items": [items]})))
    return window


def _not_here() -> bytes:
    raise AssertionError("read by a worker")
