"""What several kinds of results have in common."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


class Listing(Generic[T]):
    """A result that is read like a list of its rows, with more fields beside them."""

    __slots__ = ()

    def _rows(self) -> list[T]:
        raise NotImplementedError

    def __iter__(self) -> Iterator[T]:
        return iter(self._rows())

    def __len__(self) -> int:
        return len(self._rows())

    def __getitem__(self, index: int) -> T:
        return self._rows()[index]


@dataclass(frozen=True, slots=True)
class ItemError:
    """Why one item of a batch has no result; `code` is one of the service's error codes."""

    code: str
    detail: str
