"""The blocking client."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, TypeVar

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

    from lookalike_indexer.report import IndexProgress, IndexReport

P = ParamSpec("P")
T = TypeVar("T")


def _sends(build: Callable[P, Call[T]]) -> Callable[Concatenate[Lookalike, P], T]:
    @looks_like(build)
    def method(self: Lookalike, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.send(build(*args, **kwargs))

    return method


def _sends_for_collection(
    build: Callable[Concatenate[str, P], Call[T]],
) -> Callable[Concatenate[Collection, P], T]:
    @looks_like(build, given=1)
    def method(self: Collection, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.client.send(build(self.name, *args, **kwargs))

    return method


def _starts_job(
    build: Callable[Concatenate[str, P], Call[JobStatus]],
) -> Callable[Concatenate[Collection, P], Job]:
    @looks_like(build, given=1)
    def method(self: Collection, /, *args: P.args, **kwargs: P.kwargs) -> Job:
        return Job(self.client, self.client.send(build(self.name, *args, **kwargs)))

    return method


class Lookalike:
    """A client of one service. Safe to share between threads; close it, or use it in `with`.

    `url` and `api_key` default to LOOKALIKE_URL (else http://127.0.0.1:3000) and LOOKALIKE_API_KEY.
    `timeout` is in seconds, for connecting and for each silence of the service. `retries` is how
    often a call is tried again after 429 or 503 (as Retry-After asks) and when the connection
    fails, if repeating it is safe. `priority` says whether somebody waits for the images of these calls
    ("interactive") or they only have to get done ("bulk"); by default the service goes by the call.
    `deadline` is for how many seconds an answer is of use: an image whose turn does not come in time fails
    with Overloaded. `transport` replaces httpx's, such as by `httpx.MockTransport`.
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
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        from lookalike.connection import Connection  # noqa: PLC0415 - keeps `import lookalike` fast

        address = Address(url, api_key, priority, deadline)
        self._connection = Connection(address, timeout, transport)
        self._retries = retries

    @property
    def url(self) -> str:
        """The service's address."""
        return self._connection.url

    def __enter__(self) -> Lookalike:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._connection.close()

    def send(self, call: Call[T]) -> T:
        """Carry out a call, trying again where that is safe. Raises LookalikeError."""
        for attempt in count():
            answer = self._connection.attempt(call)
            seconds = pause(call, answer, attempt=attempt, retries=self._retries)
            if seconds is None:
                break
            time.sleep(seconds)
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

    def job(self, id: str) -> Job:
        """A job, to look at, wait for or cancel. Raises UnknownJob."""
        return Job(self, self.send(service_calls.job(id)))

    def collection(self, name: str) -> Collection:
        """A handle on a collection; nothing is sent, and it need not exist yet."""
        return Collection(self, name)

    def create_collection(
        self,
        name: str,
        *,
        model: str | None = None,
        indexes: Mapping[str, FieldType] | None = None,
    ) -> Collection:
        """Create a collection; one that exists with the same settings is left as it is.

        `indexes` names the fields to filter by, such as {"metadata.label": "keyword"}.
        Raises CollectionExists if it exists with other settings, UnknownModel, InvalidField.
        """
        self.send(service_calls.create_collection(name, model=model, indexes=indexes))
        return Collection(self, name)


class Collection:
    """A handle on a collection of `client`."""

    def __init__(self, client: Lookalike, name: str) -> None:
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

    def images(
        self,
        filter: Mapping[str, Any] | None = None,
        limit: int | None = None,
    ) -> Iterator[IndexedImage]:
        """All images that match, or the first `limit`, fetched a page at a time.

        Raises UnknownCollection, InvalidFilter.
        """
        cursor, left = None, limit
        while left is None or left > 0:
            size = 100 if left is None else min(left, 100)
            page = self.client.send(
                collection_calls.image_page(self.name, filter=filter, limit=size, cursor=cursor)
            )
            yield from page
            cursor, left = page.cursor, None if left is None else left - len(page)
            if cursor is None:
                return

    def index(
        self,
        paths: str | Path | Iterable[str | Path],
        *,
        progress: Callable[[IndexProgress], None] | Literal["bar"] | None = "bar",
        model: str | None = None,
        indexes: Mapping[str, FieldType] | None = None,
        recheck: bool = False,
        duplicates: Literal["once", "each"] = "once",
        prune: bool = False,
    ) -> IndexReport:
        """Index folders, globs, files, manifests, archives, URLs, creating the collection if missing.

        An image's id is its path within the folder; its metadata are `folder`, the path of the
        sub-folder it is in, and `label`, that sub-folder's own name. Unchanged files are skipped,
        unless `recheck`; a file that fails is in the report and stops nothing. Exact copies are
        stored `once`, with all their sources in metadata `sources`, or `each`. `prune` deletes what
        the same source gave once and has no more. `progress` is called after each batch; "bar"
        draws a bar if standard error is a terminal and `lookalike[indexer]` is installed. Other
        sources than local files, folders and zips need that too; docs/indexing.md has them all.
        Raises InvalidInput, UnknownModel, ConnectionFailed.
        """
        from lookalike_indexer.indexing import index  # noqa: PLC0415 - it imports this module

        return index(
            self,
            paths,
            progress=progress,
            model=model,
            indexes=indexes,
            recheck=recheck,
            duplicates=duplicates,
            prune=prune,
        )


class Job:
    """A clustering, projection or training under way; `status` is what was last heard of it."""

    def __init__(self, client: Lookalike, status: JobStatus) -> None:
        self.client = client
        self.status = status

    @property
    def id(self) -> str:
        """The job's id."""
        return self.status.id

    def refresh(self) -> JobStatus:
        """Ask again."""
        self.status = self.client.send(service_calls.job(self.id))
        return self.status

    def cancel(self) -> None:
        """Cancel it; it stops at its next step. Raises JobNotFinished, UnknownJob."""
        self.client.send(service_calls.cancel_job(self.id))

    def wait(
        self,
        progress: Callable[[JobStatus], None] | None = None,
        timeout: float | None = None,
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
            time.sleep(delay)
            report(self.refresh())
        return outcome(self.status)
