"""Where images go: a collection behind a service, or one in a store that this process opens itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from typing import Any, Protocol, cast

from lookalike.client import Collection
from lookalike.errors import InvalidInput
from lookalike.results import FieldType, IndexResult
from lookalike_indexer.stages import Stages, Work

GROUP = "lookalike.targets"


class Described(Protocol):
    """What must be known of a collection to index into it; see `CollectionInfo`."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def model(self) -> str:
        """Its encoder."""

    @property
    def created_at(self) -> str:
        """When it was made."""

    @property
    def indexes(self) -> Mapping[str, FieldType]:
        """Fields that it can be filtered by."""


class Target(Protocol):
    """A collection to index into. Its errors are the client's. Thread-safe."""

    name: str
    place: str
    """Names the service or store from run to run."""
    batch_images: int
    """Images to give to one call of `add`."""
    at_once: int
    """Calls of `add` to have under way, so that it never waits for work."""
    batched_by: str
    """The stage whose batches are told of."""

    @property
    def stages(self) -> Work:
        """Where the time of its stages is counted; that of a call of `add` is stage `service`."""

    @property
    def workers(self) -> Mapping[str, int]:
        """How many work side by side at each of its stages."""

    def describe(self) -> Described:
        """The collection. Raises UnknownCollection."""

    def create(self, *, model: str | None, indexes: Mapping[str, FieldType]) -> object:
        """Create it, or add indexes to it. Raises CollectionExists if it has another model."""

    def add(
        self,
        images: Sequence[bytes],
        *,
        ids: Sequence[str],
        metadata: Sequence[Mapping[str, Any]],
        sources: Sequence[str],
    ) -> IndexResult:
        """Index images; what it returns is stored. Repeating it changes nothing."""

    def update(self, id: str, metadata: Mapping[str, Any]) -> object:
        """Merge metadata into an image's; None removes a key. Raises UnknownImage."""

    def delete(self, ids: Sequence[str]) -> int:
        """Delete images; how many there were."""

    def close(self) -> None:
        """Let go of everything."""


class ServiceTarget:
    """A collection behind a service, which answers 429 and 503 when the client is to wait."""

    batch_images = 32
    at_once = 4
    batched_by = "service"

    def __init__(self, collection: Collection) -> None:
        self._collection = collection
        self.name, self.place = collection.name, collection.client.url.rstrip("/")
        self.stages = Stages()
        self.workers: Mapping[str, int] = {"service": self.at_once}
        self.describe = collection.describe
        self.add = collection.add
        self.update = collection.update

    def create(self, *, model: str | None, indexes: Mapping[str, FieldType]) -> object:
        """See `Target`."""
        return self._collection.client.create_collection(self.name, model=model, indexes=indexes)

    def delete(self, ids: Sequence[str]) -> int:
        """See `Target`."""
        return self._collection.delete(list(ids))

    def close(self) -> None:
        """See `Target`; the client is whoever's who made it."""


def open_direct(
    name: str,
    *,
    data: str | None = None,
    qdrant_url: str | None = None,
    model: str | None = None,
    shared: bool = False,
) -> Target:
    """A collection in a store that this process opens: encoder and store here, without a service.

    What is None is as the service's settings say. Raises InvalidInput if the service is not installed, or if
    the store is to be `shared` with other processes and is a folder; StoreLocked if another process has it.
    """
    (entry,) = entry_points(group=GROUP, name="direct")
    try:
        opener = entry.load()
    except ImportError as error:
        raise InvalidInput(
            f"--direct needs the service's packages: pip install 'lookalike[service]' ({error})."
        ) from error
    target = opener(
        name, data=data, qdrant_url=qdrant_url, model=model, shared=shared, stages=Stages()
    )
    return cast("Target", target)
