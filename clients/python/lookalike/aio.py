"""The client for event loops."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from itertools import count
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from lookalike import (
    analysis_calls,
    clustering_calls,
    collection_calls,
    comparison_calls,
    migration_calls,
    search_calls,
    service_calls,
    training_calls,
)
from lookalike.address import Address, Priority
from lookalike.binding import looks_like, not_finished, outcome, poll_delays
from lookalike.call import Call
from lookalike.results import FieldType, IndexedImage, JobStatus
from lookalike.retrying import Failure, pause

if TYPE_CHECKING:
    import httpx

P = ParamSpec("P")
T = TypeVar("T")


def _sends(
    build: Callable[P, Call[T]],
) -> Callable[Concatenate[AsyncLookalike, P], Coroutine[Any, Any, T]]:
    @looks_like(build)
    async def method(self: AsyncLookalike, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.send(await asyncio.to_thread(build, *args, **kwargs))

    return method


def _sends_for_collection(
    build: Callable[Concatenate[str, P], Call[T]],
) -> Callable[Concatenate[AsyncCollection, P], Coroutine[Any, Any, T]]:
    @looks_like(build, given=1)
    async def method(self: AsyncCollection, /, *args: P.args, **kwargs: P.kwargs) -> T:
        call = await asyncio.to_thread(build, self.name, *args, **kwargs)
        return await self.client.send(call)

    return method


def _starts_job(
    build: Callable[Concatenate[str, P], Call[JobStatus]],
) -> Callable[Concatenate[AsyncCollection, P], Coroutine[Any, Any, AsyncJob]]:
    @looks_like(build, given=1)
    async def method(self: AsyncCollection, /, *args: P.args, **kwargs: P.kwargs) -> AsyncJob:
        call = await asyncio.to_thread(build, self.name, *args, **kwargs)
        return AsyncJob(self.client, await self.client.send(call))

    return method


class AsyncLookalike:
    """A client of one service for one event loop; close it, or use it in `async with`.

    The arguments are those of `Lookalike`, with an async `transport`. Images are read and encoded
    in a thread, so that a call never holds up the loop.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float = 60.0,
        retries: int = 4,
        priority: Priority | None = None,
        deadline: float | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        from lookalike.connection import AsyncConnection  # noqa: PLC0415 - slow

        address = Address(url, api_key, priority, deadline)
        self._connection = AsyncConnection(address, timeout, transport)
        self._retries = retries

    @property
    def url(self) -> str:
        """The service's address."""
        return self._connection.url

    async def __aenter__(self) -> AsyncLookalike:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._connection.close()

    async def send(self, call: Call[T]) -> T:
        """Carry out a call, trying again where that is safe. Raises LookalikeError."""
        for attempt in count():
            answer = await self._connection.attempt(call)
            seconds = pause(call, answer, attempt=attempt, retries=self._retries)
            if seconds is None:
                break
            await asyncio.sleep(seconds)
        if isinstance(answer, Failure):
            raise answer.error
        return call.result(answer)

    info = _sends(service_calls.info)
    models = _sends(service_calls.models)
    algorithms = _sends(service_calls.algorithms)
    ready = _sends(service_calls.ready)
    embed = _sends(service_calls.embed)
    embed_texts = _sends(service_calls.embed_texts)
    explain = _sends(service_calls.explain)
    jobs = _sends(service_calls.jobs)
    collections = _sends(service_calls.collections)
    delete_collection = _sends(service_calls.delete_collection)

    async def job(self, id: str) -> AsyncJob:
        """A job, to look at, wait for or cancel. Raises UnknownJob."""
        return AsyncJob(self, await self.send(service_calls.job(id)))

    def collection(self, name: str) -> AsyncCollection:
        """A handle on a collection; nothing is sent, and it need not exist yet."""
        return AsyncCollection(self, name)

    async def create_collection(
        self,
        name: str,
        *,
        model: str | None = None,
        indexes: Mapping[str, FieldType] | None = None,
    ) -> AsyncCollection:
        """Create a collection; one that exists with the same settings is left as it is.

        `indexes` names the fields to filter by, such as {"metadata.label": "keyword"}.
        Raises CollectionExists if it exists with other settings, UnknownModel, InvalidField.
        """
        await self.send(service_calls.create_collection(name, model=model, indexes=indexes))
        return AsyncCollection(self, name)


class AsyncCollection:
    """A handle on a collection of `client`."""

    def __init__(self, client: AsyncLookalike, name: str) -> None:
        self.client = client
        self.name = name

    describe = _sends_for_collection(collection_calls.describe)
    add = _sends_for_collection(collection_calls.add)
    image = _sends_for_collection(collection_calls.image)
    update = _sends_for_collection(collection_calls.update)
    delete = _sends_for_collection(collection_calls.delete)
    thumbnail = _sends_for_collection(collection_calls.thumbnail)
    search = _sends_for_collection(search_calls.search)
    search_batch = _sends_for_collection(search_calls.search_batch)
    facets = _sends_for_collection(search_calls.facets)
    calibrate = _starts_job(search_calls.calibrate)
    calibration = _sends_for_collection(search_calls.calibration)
    cluster = _starts_job(analysis_calls.cluster)
    clusterings = _sends_for_collection(analysis_calls.clusterings)
    clustering = _sends_for_collection(analysis_calls.clustering)
    clustering_plot = _sends_for_collection(analysis_calls.clustering_plot)
    agreement = _sends_for_collection(analysis_calls.agreement)
    assign = _sends_for_collection(analysis_calls.assign)
    cluster_card = _sends_for_collection(analysis_calls.cluster_card)
    cluster_card_image = _sends_for_collection(analysis_calls.cluster_card_image)
    delete_clustering = _sends_for_collection(analysis_calls.delete_clustering)
    describe_clusters = _sends_for_collection(clustering_calls.describe_clusters)
    name_clusters = _sends_for_collection(clustering_calls.name_clusters)
    lineage = _sends_for_collection(clustering_calls.lineage)
    export = _sends_for_collection(clustering_calls.export)
    project = _starts_job(analysis_calls.project)
    projections = _sends_for_collection(analysis_calls.projections)
    projection = _sends_for_collection(analysis_calls.projection)
    projection_arrow = _sends_for_collection(analysis_calls.projection_arrow)
    projection_image = _sends_for_collection(analysis_calls.projection_image)
    delete_projection = _sends_for_collection(analysis_calls.delete_projection)
    place = _sends_for_collection(analysis_calls.place)
    compare = _starts_job(comparison_calls.compare)
    comparisons = _sends_for_collection(comparison_calls.comparisons)
    comparison = _sends_for_collection(comparison_calls.comparison)
    comparison_page = _sends_for_collection(comparison_calls.comparison_page)
    counterparts = _sends_for_collection(comparison_calls.counterparts)
    comparison_maps = _sends_for_collection(comparison_calls.comparison_maps)
    delete_comparison = _sends_for_collection(comparison_calls.delete_comparison)
    find_duplicates = _starts_job(comparison_calls.find_duplicates)
    duplicate_runs = _sends_for_collection(comparison_calls.duplicate_runs)
    duplicates = _sends_for_collection(comparison_calls.duplicates)
    duplicate_groups = _sends_for_collection(comparison_calls.duplicate_groups)
    leakage = _sends_for_collection(comparison_calls.leakage)
    deletion_plan = _sends_for_collection(comparison_calls.deletion_plan)
    deletion_list = _sends_for_collection(comparison_calls.deletion_list)
    delete_duplicates = _sends_for_collection(comparison_calls.delete_duplicates)
    forget_duplicates = _sends_for_collection(comparison_calls.forget_duplicates)
    train_autoencoder = _starts_job(training_calls.train_autoencoder)
    train_head = _starts_job(training_calls.train_head)
    trainings = _sends_for_collection(training_calls.trainings)
    training = _sends_for_collection(training_calls.training)
    training_image = _sends_for_collection(training_calls.training_image)
    delete_training = _sends_for_collection(training_calls.delete_training)
    migrate = _starts_job(migration_calls.migrate)
    migration = _sends_for_collection(migration_calls.migration)
    cut_over = _sends_for_collection(migration_calls.cut_over)
    roll_back = _sends_for_collection(migration_calls.roll_back)
    finish_migration = _sends_for_collection(migration_calls.finish_migration)
    delete_migration = _sends_for_collection(migration_calls.delete_migration)

    async def images(
        self,
        filter: Mapping[str, Any] | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[IndexedImage]:
        """All images that match, or the first `limit`, fetched a page at a time.

        Raises UnknownCollection, InvalidFilter.
        """
        cursor, left = None, limit
        while left is None or left > 0:
            size = 100 if left is None else min(left, 100)
            page = await self.client.send(
                collection_calls.image_page(self.name, filter=filter, limit=size, cursor=cursor)
            )
            for image in page:
                yield image
            cursor, left = page.cursor, None if left is None else left - len(page)
            if cursor is None:
                return


class AsyncJob:
    """A clustering, projection or training under way; `status` is what was last heard of it."""

    def __init__(self, client: AsyncLookalike, status: JobStatus) -> None:
        self.client = client
        self.status = status

    @property
    def id(self) -> str:
        """The job's id."""
        return self.status.id

    async def refresh(self) -> JobStatus:
        """Ask again."""
        self.status = await self.client.send(service_calls.job(self.id))
        return self.status

    async def cancel(self) -> None:
        """Cancel it; it stops at its next step. Raises JobNotFinished, UnknownJob."""
        await self.client.send(service_calls.cancel_job(self.id))

    async def wait(
        self,
        progress: Callable[[JobStatus], None] | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the blocking client's name
    ) -> JobStatus:
        """Wait until it has succeeded; `progress` is called after each look at it.

        Raises the job's own error if it failed, JobCancelled, or TimedOut after `timeout` seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        delays = poll_delays()
        report = progress or (lambda _: None)
        report(self.status)
        while not self.status.finished:
            delay = next(delays)
            if deadline is not None and time.monotonic() + delay > deadline:
                raise not_finished(self.status)
            await asyncio.sleep(delay)
            report(await self.refresh())
        return outcome(self.status)
