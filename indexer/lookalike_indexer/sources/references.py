"""Files that a manifest or list refers to: by path, by URL, or by an fsspec address."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lookalike_indexer.sources import addresses, web
from lookalike_indexer.sources.item import Item, checked_id, printable
from lookalike_indexer.sources.local import LocalBytes


@dataclass(frozen=True, slots=True)
class Referred:
    """What a reference leads to; the fields are those of `Item`."""

    source: str
    read: Callable[[], bytes]
    stamp: str = ""
    size: int | None = None

    def item(self, id: str, metadata: Mapping[str, Any]) -> Item:
        """As an item. Raises ValueError for what cannot be an id."""
        return Item(checked_id(id), self.source, self.read, metadata, self.stamp, self.size)


class References:
    """Resolves references; relative paths are below `base`, a folder or an fsspec address.

    Use it in `with`; connections are shared and closed at the end.
    """

    def __init__(self, base: str) -> None:
        self._base = base
        self._web: web.Fetcher | None = None

    def close(self) -> None:
        """Close all connections."""
        if self._web is not None:
            self._web.close()
            self._web = None

    def resolve(self, reference: str) -> Referred:
        """What it leads to. Raises OSError, ValueError."""
        if is_web(reference):
            if self._web is None:
                self._web = web.Fetcher()
            fetcher = self._web
            return Referred(reference, partial(fetcher.fetch, reference))
        source = self.source(reference)
        if "://" in source:
            remote = addresses.RemoteBytes.at(source)
            return Referred(source, remote.read, remote.stamp, remote.size)
        local = LocalBytes.at(Path(source))
        return Referred(printable(source), local.read, local.stamp, local.size)

    def source(self, reference: str) -> str:
        """Where it leads, as a path, URL or address of its own."""
        if "://" in reference:
            return reference
        if "://" in self._base:
            return f"{self._base.rstrip('/')}/{reference}"
        return str(Path(self._base, reference))


def is_web(address: str) -> bool:
    """Whether it is a URL that httpx fetches."""
    return address.startswith(("http://", "https://"))
