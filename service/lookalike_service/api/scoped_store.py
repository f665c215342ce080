"""The store as the holder of a key with a scope sees it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

from lookalike_service.access.caller import Caller
from lookalike_service.errors import Forbidden, UnknownCollection
from lookalike_service.store.protocol import Collection, Store
from lookalike_service.workflows import comparison

NAMED = frozenset(
    name
    for name, method in inspect.getmembers(Store, inspect.isfunction)
    if "name" in inspect.signature(method).parameters
)
"""The store's methods that take a collection's name first."""


class ScopedStore:
    """Refuses every collection outside a caller's scope, however a request came to name it."""

    def __init__(self, store: Store, caller: Caller) -> None:
        self._store, self._caller = store, caller

    def __getattr__(self, attribute: str) -> Any:
        """The store's own, checked where it takes a collection's name."""
        found = getattr(self._store, attribute)
        return partial(self._checked, found) if attribute in NAMED else found

    def _checked(self, method: Callable[..., Any], name: str, /, *args: Any, **kwargs: Any) -> Any:
        self._caller.check_collection(name)
        try:
            return method(name, *args, **kwargs)
        except UnknownCollection as error:  # which may name others that are like it
            raise UnknownCollection(
                f"There is no collection '{name}'; GET /v1/collections lists those of this key."
            ) from error

    def create_collection(self, collection: Collection) -> bool:
        """As the store's. Raises Forbidden."""
        self._caller.check_collection(collection.name)
        return self._store.create_collection(collection)

    def document(self, kind: str, key: str) -> dict[str, Any] | None:
        """As the store's. Raises Forbidden for a comparison with a collection outside the scope."""
        found = self._store.document(kind, key)
        if not all(map(self._caller.sees, compared(kind, found or {}))):
            raise Forbidden("This comparison is with a collection that the key is not for.")
        return found

    def documents(self, kind: str) -> list[tuple[str, dict[str, Any]]]:
        """As the store's, without comparisons with a collection outside the scope."""
        return [
            (key, body)
            for key, body in self._store.documents(kind)
            if all(map(self._caller.sees, compared(kind, body)))
        ]

    def collections(self) -> list[Collection]:
        """Those in scope."""
        return [one for one in self._store.collections() if self._caller.sees(one.name)]


def compared(kind: str, body: Mapping[str, Any]) -> list[str]:
    """The collections that a document, or a job's parameters, tells of besides its own: those compared."""
    if kind != comparison.KIND:
        return []
    return [body[side]["collection"] for side in ("first", "second") if side in body]


def scoped(store: Store, caller: Caller | None) -> Store:
    """The store as this caller may use it; the store itself where nothing is kept from them."""
    if caller is None or caller.collections is None:
        return store
    return cast("Store", ScopedStore(store, caller))
