"""Which collections there are, and where their points are: a name table of our own.

One document per collection says which of the engine's collections holds its points. A collection that
is migrated has two, and exchanging them is the write of this one document: every call reads it once, at
its beginning, so it sees one space or the other. Neither the embedded engine nor this needs aliases.
"""

from __future__ import annotations

import difflib
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import Any

from pydantic import TypeAdapter, ValidationError

from lookalike_service.errors import (
    CollectionExists,
    InvalidField,
    SpaceMismatch,
    UnknownCollection,
)
from lookalike_service.schemas.base import Name
from lookalike_service.schemas.collections import MOST_DECLARED
from lookalike_service.spaces import Space
from lookalike_service.store.documents import Documents
from lookalike_service.store.engine import Engine
from lookalike_service.store.fields import learn
from lookalike_service.store.filters import clustering_of, field_path
from lookalike_service.store.protocol import Collection, FieldType, OtherSpace, pinned
from lookalike_service.store.shared_lock import SharedLock

_KIND = "collection"
_NAME = TypeAdapter(Name)


class Catalogue:
    """Implements the collections of `Store`. Thread-safe; points are its caller's business.

    Collections are described last and forgotten last, so that a crash leaves nothing described that
    is not there, nor points that nobody could drop.
    """

    def __init__(self, engine: Engine, documents: Documents) -> None:
        self._engine = engine
        self._documents = documents
        # Alone: who changes which spaces a collection has. Shared: who writes points.
        self._spaces = SharedLock()
        self._describing = threading.Lock()
        self._both = threading.Lock()
        """Held by who writes to two spaces, so that they agree."""

    # -- reading

    def get(self, name: str) -> Collection:
        """See `Store.collection`."""
        body = self._documents.get(_KIND, name)
        if body is None:
            names = [key for key, _ in self._documents.of_kind(_KIND)]
            close = difflib.get_close_matches(name, names, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise UnknownCollection(f"there is no collection {name!r}{hint}")
        return _collection(body)

    def all(self) -> list[Collection]:
        """See `Store.collections`."""
        return [_collection(body) for _, body in self._documents.of_kind(_KIND)]

    def at(self, name: str) -> Collection:
        """The collection in the space that a name, pinned or not, means; `stored_as` is filled in.

        Raises UnknownCollection, SpaceMismatch.
        """
        name, _, space_id = name.partition("@")
        found = self.get(name)
        found = replace(found, stored_as=found.stored_as or name)
        if space_id in ("", found.space.id):
            return found
        other = found.other
        if other is None or other.leaving or other.space.id != space_id:
            raise SpaceMismatch(
                f"collection {name!r} has no space {space_id} any more; its own is {found.space.id}"
            )
        return replace(found, space=other.space, stored_as=other.stored_as, other=None)

    # -- writing points

    @contextmanager
    def writing(self, name: str) -> Iterator[tuple[Collection, OtherSpace | None]]:
        """The collection, and its other space if that is written to; neither changes inside.

        Raises UnknownCollection, also for a pinned name.
        """
        with self._spaces.shared():
            found = self.get(name)
            found = replace(found, stored_as=found.stored_as or name)
            if found.other is None or found.other.leaving:
                yield found, None
            else:
                with self._both:
                    yield found, found.other

    # -- describing

    def create(self, collection: Collection) -> bool:
        """See `Store.create_collection`. Raises InvalidField for a name or an index that cannot be."""
        name, space = collection.name, collection.space
        try:
            _NAME.validate_python(name)
        except ValidationError as error:
            raise InvalidField(
                f"collection name {name!r}: {error.errors()[0]['msg'].lower()}"
            ) from None
        paths = {index_path(field): type for field, type in collection.indexes.items()}
        with self._describing:
            body = self._documents.get(_KIND, name)
            existing = None if body is None else _collection(body)
            if existing is not None and existing.space != space:
                raise CollectionExists(
                    f"collection {name!r} exists with model {existing.space.model} (space "
                    f"{existing.space.id}), not {space.model} (space {space.id}); delete it or "
                    "choose another name"
                )
            _check_number(name, existing.indexes if existing else {}, collection.indexes)
            stored_as = (existing.stored_as if existing else "") or name
            self._engine.create(stored_as, space.id, space.dim)
            for path, type in paths.items():  # before any point: later would cost a pass over all
                self._index(stored_as, path, type)
            if existing is not None:
                return False
            self._put(replace(collection, stored_as="", other=None))
            return True

    def remove(self, name: str) -> None:
        """Drop the points in all spaces, then the description. Raises UnknownCollection."""
        with self._spaces.alone(), self._describing:
            found = self.get(name)
            if found.other is not None:
                self._engine.drop(found.other.stored_as)
            self._engine.drop(found.stored_as or name)
            self._documents.delete(_KIND, name)

    def create_index(self, name: str, field: str, type: FieldType) -> None:
        """See `Store`. Raises InvalidField for a field that cannot be filtered by."""
        with self._describing:
            found = self.get(name)
            _check_number(name, found.indexes, [field])
            self._index_both(found, {field: type})
            self._put(replace(found, indexes={**found.indexes, field: type}))

    def learn(self, collection: Collection, payloads: Sequence[Mapping[str, Any]]) -> None:
        """Note and index the metadata fields of these payloads that are new; see `fields`."""
        if learn(collection, payloads) is None:
            return
        with self._describing:  # others may have been as quick
            found = self.get(collection.name)
            learned = learn(found, payloads)
            if learned is not None:
                self._index_both(found, learned.indexes)
                indexes = {**found.indexes, **learned.indexes}
                self._put(replace(found, fields=learned.fields, indexes=indexes))

    def _index_both(self, found: Collection, indexes: Mapping[str, FieldType]) -> None:
        for field, type in indexes.items():
            self._index(found.stored_as or found.name, index_path(field), type)
            if found.other is not None and not found.other.leaving:
                self._index(found.other.stored_as, index_path(field), type)

    def _index(self, stored_as: str, path: str, type: FieldType) -> None:
        if clustering_of(path) is None:  # labels are found without
            self._engine.create_index(stored_as, path, type)

    def _put(self, collection: Collection) -> None:
        self._documents.put(_KIND, collection.name, asdict(collection))

    # -- a second space

    def add_space(self, name: str, space: Space) -> None:
        """See `Store`."""
        with self._spaces.alone(), self._describing:
            found = self.get(name)
            if found.space == space:
                raise InvalidField(
                    f"the vectors of collection {name!r} are of space {space.id} already"
                )
            if found.other is not None and found.other.leaving:
                found = self._finish_leaving(found, found.other)
            if found.other is not None:
                if found.other.space == space:
                    return
                raise CollectionExists(
                    f"collection {name!r} has a second space already, of model "
                    f"{found.other.space.model}; drop that first"
                )
            stored_as = pinned(name, space.id)
            self._engine.create(stored_as, space.id, space.dim)
            for field, type in found.indexes.items():
                self._index(stored_as, index_path(field), type)
            self._put(replace(found, other=OtherSpace(space, stored_as)))

    def switch(self, name: str, space_id: str) -> Collection:
        """See `Store.switch_space`. The one write is the switch."""
        with self._spaces.alone(), self._describing:
            found = self.get(name)
            if found.space.id == space_id:
                return found
            other = found.other
            if other is None or other.leaving or other.space.id != space_id:
                raise SpaceMismatch(f"collection {name!r} has no space {space_id}")
            former = OtherSpace(found.space, found.stored_as or name)
            switched = replace(found, space=other.space, stored_as=other.stored_as, other=former)
            self._put(switched)
            return switched

    def drop_space(self, name: str, space_id: str) -> None:
        """See `Store`."""
        with self._spaces.alone(), self._describing:
            found = self.get(name)
            if found.space.id == space_id:
                raise SpaceMismatch(
                    f"space {space_id} is the one that collection {name!r} answers in"
                )
            if found.other is None or found.other.space.id != space_id:
                return
            leaving = replace(found.other, leaving=True)
            found = replace(found, other=leaving)
            self._put(found)  # a crash from here on leaves points that are neither read nor written
            self._finish_leaving(found, leaving)

    def _finish_leaving(self, found: Collection, leaving: OtherSpace) -> Collection:
        self._engine.drop(leaving.stored_as)
        found = replace(found, other=None)
        self._put(found)
        return found


def _check_number(name: str, there: Mapping[str, FieldType], wanted: Iterable[str]) -> None:
    """Raise InvalidField for new indexes that would make it too many."""
    number = len({*there, *wanted})
    if number > max(MOST_DECLARED, len(there)):
        raise InvalidField(
            f"collection {name!r} would have {number} indexes; {MOST_DECLARED} are allowed"
        )


def index_path(field: str) -> str:
    """The field as the engines' path. Raises InvalidField."""
    try:
        return field_path(field)
    except ValueError as error:
        raise InvalidField(f"index {error}") from None


def _collection(body: Mapping[str, Any]) -> Collection:
    other = body.get("other")
    if other is not None:
        other = OtherSpace(**{**other, "space": Space(**other["space"])})
    return Collection(**{**body, "space": Space(**body["space"]), "other": other})
