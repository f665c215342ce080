"""A collection in a store that this process opens, as the indexer writes to it.

It looks like a collection of the client's: the same results, the same errors.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from lookalike import results
from lookalike.errors import CollectionExists, InvalidInput, error_for
from lookalike.retrying import back_off
from lookalike_service import logs
from lookalike_service.direct.engine import (
    CALL_IMAGES,
    CALLS_AT_ONCE,
    DirectEngine,
    Stages,
)
from lookalike_service.encoders.spec import EncoderSpec
from lookalike_service.environment import unfit_values
from lookalike_service.errors import LookalikeError, StoreLocked, Unavailable
from lookalike_service.schemas.base import Name
from lookalike_service.settings import Settings, get_settings
from lookalike_service.store.factory import open_store
from lookalike_service.store.protocol import Collection, FieldType, Store, point_id
from lookalike_service.workflows import creation
from lookalike_service.workflows.images import merge_metadata
from lookalike_service.workflows.ingest import Ingested, NewImage

T = TypeVar("T")

_RETRIES = 9  # about a minute, as `lookalike index` has with a service


def open_target(
    name: str,
    *,
    data: str | None,
    qdrant_url: str | None,
    model: str | None,
    stages: Stages,
    shared: bool = False,
) -> DirectTarget:
    """A collection of this name, in this folder or on this server; None as the settings say.

    Raises StoreLocked if another process has the folder, InvalidInput for settings that will not do, such
    as a folder where the store is to be `shared` with other processes.
    """
    stack = ExitStack()
    try:
        TypeAdapter(Name).validate_python(name)
        settings = _settings(data, qdrant_url, model)
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidInput(f"{first['input']!r}: {first['msg']}.") from error
    if shared and settings.qdrant_url is None:
        raise InvalidInput(
            "Workers on other machines cannot write to a folder of this one: name a Qdrant server with "
            "--qdrant-url or LOOKALIKE_QDRANT_URL."
        )
    logs.configure(settings.log_format, quiet=True)
    with stack, _client_errors():
        try:
            store = open_store(settings)
        except StoreLocked as error:
            raise StoreLocked(
                f"{error.detail}; or index through the service, without --direct"
            ) from error
        stack.callback(store.close)
        engine = DirectEngine(settings, store, stages)
        stack.pop_all()
    return DirectTarget(name, settings, store, engine, stages)


def _settings(data: str | None, qdrant_url: str | None, model: str | None) -> Settings:
    try:
        settings = get_settings()
    except ValidationError as error:
        raise InvalidInput("; ".join(unfit_values(error))) from error
    if data is not None and qdrant_url is not None:
        raise InvalidInput("--data and --qdrant-url name two stores: give one.")
    update: dict[str, Any] = {}
    if data is not None or qdrant_url is not None:
        update = {"qdrant_url": qdrant_url, "data": Path(data) if data else settings.data}
    if model is not None:
        update["model"] = model
    return settings.model_copy(update=update)


@dataclass(frozen=True, slots=True)
class Description:
    """A collection without the number of its points, which would start the process that holds them."""

    name: str
    model: str
    created_at: str
    indexes: Mapping[str, FieldType]


class DirectTarget:
    """Implements the indexer's `Target`: a collection, the store it is in, and the encoder. Thread-safe.

    What passes, such as a Qdrant server that is away for a moment, is waited for.
    """

    batch_images = CALL_IMAGES
    at_once = CALLS_AT_ONCE
    batched_by = "model"

    def __init__(
        self, name: str, settings: Settings, store: Store, engine: DirectEngine, stages: Stages
    ) -> None:
        self.name, self.stages = name, stages
        self.place = settings.qdrant_url or str(settings.data.absolute())
        self._settings, self._store, self._engine = settings, store, engine

    @property
    def workers(self) -> Mapping[str, int]:
        """How many work side by side at each stage."""
        return {
            "decode": self._settings.decode_threads,
            "model": self._engine.passes_at_once,
            "store": CALLS_AT_ONCE,
        }

    def close(self) -> None:
        """Stop all threads and release the store."""
        self._engine.close()
        self._store.close()

    def describe(self) -> Description:
        """The collection. Raises UnknownCollection."""
        found = _asked(lambda: self._store.collection(self.name))
        return Description(found.name, found.space.model, found.created_at, found.indexes)

    def create(self, *, model: str | None, indexes: Mapping[str, FieldType]) -> None:
        """Create it, or add indexes to it. Raises CollectionExists if it is of another encoder."""
        _asked(lambda: creation.create(self._store, self._wanted(model, indexes)))

    def _wanted(self, model: str | None, indexes: Mapping[str, FieldType]) -> Collection:
        former = next((c for c in self._store.collections() if c.name == self.name), None)
        if former is None:
            space = self._engine.encoder(model).info.space
        elif model is not None and str(EncoderSpec.parse(model)) != former.space.model:
            raise CollectionExists(
                f"Collection '{self.name}' is of encoder '{former.space.model}', not '{model}'."
            )
        else:
            space = former.space
        created_at = datetime.now(UTC).isoformat(timespec="milliseconds")
        return Collection(self.name, space, created_at, creation.payload_indexes(indexes))

    def add(
        self,
        images: Sequence[bytes],
        *,
        ids: Sequence[str],
        metadata: Sequence[Mapping[str, Any]],
        sources: Sequence[str],
    ) -> results.IndexResult:
        """Index images, each with its outcome, in order. Repeating it changes nothing."""
        new = [
            NewImage(data, id, dict(about), source)
            for data, id, about, source in zip(images, ids, metadata, sources, strict=True)
        ]
        outcomes = _asked(lambda: self._engine.ingest(self.name, new))
        return _result(outcomes)

    def update(self, id: str, metadata: Mapping[str, Any]) -> None:
        """Merge metadata into an image's; None removes a key. Raises UnknownImage."""
        _asked(lambda: merge_metadata(self._store, self.name, id, metadata))

    def delete(self, ids: Sequence[str]) -> int:
        """Delete images; how many there were."""
        return _asked(lambda: self._store.delete(self.name, [point_id(id) for id in ids]))


def _result(outcomes: Sequence[Ingested | LookalikeError]) -> results.IndexResult:
    items = [
        results.IndexItem(i, error=results.ItemError(outcome.code, outcome.detail))
        if isinstance(outcome, LookalikeError)
        else results.IndexItem(i, outcome.id, outcome.status)
        for i, outcome in enumerate(outcomes)
    ]
    counts = {s: sum(i.status == s for i in items) for s in ("created", "updated", "unchanged")}
    return results.IndexResult(items, failed=sum(i.error is not None for i in items), **counts)


def _asked(call: Callable[[], T]) -> T:
    """The answer of a call, which is tried again while the store is away. Raises the client's errors."""
    with _client_errors():
        for attempt in count():
            try:
                return call()
            except Unavailable as error:
                wait = back_off(error.retry_after, attempt=attempt, retries=_RETRIES)
                if wait is None:
                    raise
                time.sleep(wait)
    raise AssertionError("unreachable")


@contextmanager
def _client_errors() -> Iterator[None]:
    """Raise the service's errors as the client's of the same code."""
    try:
        yield
    except LookalikeError as error:
        raise error_for(error.code, error.detail, status=error.status) from error
