"""What an indexing run says about itself, on the way and at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FileFailure:
    """An image that was not indexed.

    `code` is a service error code, or `unreadable_file`, `unreadable_source` (more may be missing than this),
    `invalid_row` (of a manifest) or `duplicate_id`.
    """

    path: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class IndexProgress:
    """How far a run is: `done` images of `total`, of which `failed`."""

    done: int
    total: int | None
    """None while only reading them all would tell."""
    failed: int
    new_failures: Sequence[FileFailure] = ()
    """Failures since the last report."""
    seconds: float = 0.0
    indexed: int = 0
    """Images that were stored or looked up by the service, without what was skipped."""
    batch_size: float = 0.0
    """Images in a request; with --direct in a pass of the model. The mean so far."""
    busy: Mapping[str, float] = field(default_factory=dict)
    """How much of the run each stage was at work, 0 to 1: read, then service, or decode, model, store."""

    @property
    def rate(self) -> float:
        """Images per second so far."""
        return self.done / self.seconds if self.seconds else 0.0

    @property
    def seconds_left(self) -> float | None:
        """At this rate; None while that is not known."""
        if self.total is None or not self.rate:
            return None
        return max(0, self.total - self.done) / self.rate

    @property
    def bottleneck(self) -> str | None:
        """The stage that is busiest, which the others wait for; None before anything was done."""
        return _busiest(self.busy)


@dataclass(slots=True)
class IndexReport:
    """What became of every image. `skipped` were known to be unchanged and not sent."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0
    duplicates: int = 0
    """Exact copies of an image that is stored, which has their sources in `metadata.sources`."""
    pruned: int = 0
    """Images that were deleted, as their source has them no more."""
    kept: int = 0
    """Images that are gone from their source and were not deleted, as that was refused."""
    orphans: int = 0
    """Copies that stand for nothing stored any more, until their own sources are indexed again."""
    failures: list[FileFailure] = field(default_factory=list)
    unindexed_fields: list[str] = field(default_factory=list)
    """Fields that an older collection cannot be filtered by, as it was made without them."""
    seconds: float = 0.0
    batch_size: float = 0.0
    busy: dict[str, float] = field(default_factory=dict)
    """As in `IndexProgress`."""
    errors_path: str = ""
    """The file that lists the failures, as JSON lines."""

    @property
    def failed(self) -> int:
        """How many images were not indexed."""
        return len(self.failures)

    @property
    def total(self) -> int:
        """How many images were looked at."""
        stored = self.created + self.updated + self.unchanged
        return stored + self.skipped + self.duplicates + self.failed

    @property
    def bottleneck(self) -> str | None:
        """As in `IndexProgress`."""
        return _busiest(self.busy)


def _busiest(busy: Mapping[str, float]) -> str | None:
    return max(busy, key=lambda stage: busy[stage]) if any(busy.values()) else None
