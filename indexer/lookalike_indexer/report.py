"""What an indexing run says about itself, on the way and at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FileFailure:
    """A file that was not indexed; `code` is a service error code, or `unreadable_file`."""

    path: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class IndexProgress:
    """How far a run is: `done` files of `total`, of which `failed`."""

    done: int
    total: int
    failed: int
    new_failures: Sequence[FileFailure] = ()
    """Failures since the last report."""


@dataclass(slots=True)
class IndexReport:
    """What became of every file. `skipped` were known to be unchanged and not sent."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0
    failures: list[FileFailure] = field(default_factory=list)
    unindexed_fields: list[str] = field(default_factory=list)
    """Fields that an older collection cannot be filtered by, as it was made without them."""
    seconds: float = 0.0

    @property
    def failed(self) -> int:
        """How many files were not indexed."""
        return len(self.failures)

    @property
    def total(self) -> int:
        """How many files were looked at."""
        return self.created + self.updated + self.unchanged + self.skipped + self.failed
