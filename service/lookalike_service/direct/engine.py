"""Images into a store with the encoders of this process, the stages side by side and each within bounds."""

from __future__ import annotations

import asyncio
import math
import sys
import threading
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import wraps
from typing import Any, Protocol, TypeVar, cast

from lookalike_service.direct.batching import Batcher
from lookalike_service.encoders.batch import EncodeItem, Outcome, encode_items
from lookalike_service.encoders.plans.process import tune_process
from lookalike_service.encoders.protocol import Encoder
from lookalike_service.encoders.registry import load_encoder
from lookalike_service.encoders.served import ServedEncoders
from lookalike_service.errors import LookalikeError
from lookalike_service.settings import Settings
from lookalike_service.store.protocol import Collection, Store
from lookalike_service.training.models_folder import ModelsFolder
from lookalike_service.workflows.embedding import Decoded, Embedder
from lookalike_service.workflows.ingest import Ingested, NewImage, ingest

T = TypeVar("T")

CALLS_AT_ONCE = 4
CALL_IMAGES = 64


class Stages(Protocol):
    """Where the time that stages take is counted."""

    def at(self, stage: str, images: int = 0) -> AbstractContextManager[None]:
        """Count the time within, and the images of a batch."""

    def seconds(self, stage: str) -> float:
        """How long the stage was at work."""

    def mean_batch(self, stage: str) -> float:
        """How many images its batches had on average; 0 before the first."""

    def take(self) -> dict[str, list[float]]:
        """Seconds, batches and images of each stage, which begins anew: for another's `add`."""

    def add(self, taken: Mapping[str, Sequence[float]]) -> None:
        """Count what another has counted."""


class DirectEngine:
    """Decode threads, batches, the model's passes and the store's writes, for up to CALLS_AT_ONCE calls.

    The encoder is loaded with the first image that needs one. Thread-safe.
    """

    def __init__(self, settings: Settings, store: Store, stages: Stages) -> None:
        self._settings, self._stages = settings, stages
        self._store = cast("Store", _Timed(store, stages))
        self._needed: tuple[str, ...] = ()
        models = ModelsFolder(settings.models_folder)
        self._encoders = ServedEncoders(
            (settings.model,),
            self._load,
            budget_bytes=settings.model_memory_bytes,
            idle_seconds=settings.model_idle_seconds,
            discover=lambda: (*self._needed, *models.specs()),
        )
        self._batcher: Batcher | None = None
        self.passes_at_once = 1
        self._starting = asyncio.Lock()
        # Bounded by the calls under way, not by the service's queue.
        bounded = settings.model_copy(
            update={
                "max_queue": 2 * CALLS_AT_ONCE * CALL_IMAGES,
                "max_queue_seconds": math.inf,
                "max_bulk_seconds": math.inf,
                "max_queue_pixels": sys.maxsize,
            }
        )
        self._embedder = _TimedEmbedder(bounded, self._infer, stages)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="direct", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop all threads."""
        self._embedder.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        if self._batcher is not None:
            self._batcher.close()
        self._loop.close()

    def encoder(self, model: str | None) -> Encoder:
        """The encoder of a spec, the settings' default for None. Raises UnknownModel and the like."""
        self._needed = () if model is None else (model,)
        return self._encoders.get(model)

    def ingest(self, name: str, images: Sequence[NewImage]) -> list[Ingested | LookalikeError]:
        """Index images; as `workflows.ingest`."""
        return self._wait(ingest(self._store, self._embedder, self._encoders_for, name, images))

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _load(self, spec: str) -> Encoder:
        tune_process()
        return load_encoder(spec, self._settings)

    async def _encoders_for(self, collection: Collection) -> list[Encoder]:
        async with self._starting:
            self._needed = tuple(space.model for space in collection.spaces)
            encoders = [await asyncio.to_thread(self._encoders.of, s) for s in collection.spaces]
            if self._batcher is None:
                self._batcher = self._fitted(encoders[0])
        return encoders

    def _fitted(self, encoder: Encoder) -> Batcher:
        """Passes as large, and as many at once, as were measured to pay."""
        size, plan = self._settings.max_batch_size, encoder.info.plan
        self.passes_at_once = 2 if plan is None else plan.passes_at_once
        if plan is not None:
            size = plan.pipelined_batch(size)
        # One pass more than run, or none would be full when the next may begin.
        self._embedder.fit(size, self.passes_at_once + 1)
        return Batcher(self._encode, size=size, at_once=self.passes_at_once)

    async def _infer(self, item: EncodeItem) -> Outcome:
        assert self._batcher is not None, "ingest asks for the encoders first"  # noqa: S101
        return await self._batcher.infer(item)

    def _encode(self, items: Sequence[EncodeItem]) -> list[Outcome]:
        with self._stages.at("model", len(items)):
            return encode_items(items)


class _TimedEmbedder(Embedder):
    """Counts the time of decoding."""

    def __init__(
        self, settings: Settings, infer: Callable[[EncodeItem], Any], stages: Stages
    ) -> None:
        super().__init__(settings, infer)
        self._stages = stages

    def _decode(self, *asked: Any, **options: Any) -> Decoded:
        with self._stages.at("decode"):
            return super()._decode(*asked, **options)


class _Timed:
    """A store that counts the time of its calls."""

    def __init__(self, store: Store, stages: Stages) -> None:
        self._store, self._stages = store, stages

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)

        @wraps(method)
        def timed(*args: Any, **kwargs: Any) -> Any:
            with self._stages.at("store"):
                return method(*args, **kwargs)

        return timed
