"""What the routes work with: one value, built at start, passed to every call."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Annotated

from fastapi import Depends, Request

from lookalike_service.access.caller import Caller
from lookalike_service.api.joined import Joined
from lookalike_service.api.scoped_store import scoped
from lookalike_service.encoders.protocol import Encoder
from lookalike_service.encoders.served import ServedEncoders, check_space
from lookalike_service.errors import (
    Forbidden,
    InvalidField,
    InvalidModel,
    SpaceMismatch,
    UnknownModel,
    WeightsMissing,
)
from lookalike_service.jobs.runner import JobRunner
from lookalike_service.schemas.embedding import TargetOptions
from lookalike_service.settings import Settings
from lookalike_service.spaces import Space
from lookalike_service.store.protocol import Collection, Store
from lookalike_service.telemetry.metrics import Metrics
from lookalike_service.training.models_folder import ModelsFolder
from lookalike_service.workflows.embedding import Embedder
from lookalike_service.workflows.explaining import Explainer
from lookalike_service.workflows.seen import SeenCache


@dataclass
class LastLook:
    """Whether encoder and store were well when they were last looked at."""

    well: tuple[bool, bool] = (True, True)


@dataclass(frozen=True)
class Context:
    """Everything a route needs."""

    settings: Settings
    encoders: ServedEncoders
    embedder: Embedder
    store: Store
    jobs: JobRunner
    metrics: Metrics
    seen: SeenCache = field(default_factory=SeenCache)
    probe: Joined[tuple[str, str]] = field(default_factory=Joined)
    """The look at encoder and store that is under way."""
    last_look: LastLook = field(default_factory=LastLook)
    caller: Caller | None = None
    """Who makes the call that this is for; None on a public route."""

    async def encoder(self, model: str | None) -> Encoder:
        """The encoder of a spec that a caller gives, the default one for None; the first call loads it.

        Raises UnknownModel, InvalidModel, WeightsMissing, Forbidden.
        """
        if model is None or not self._has_scope:
            return await self._loaded(model)
        try:
            if self.shows(model):
                return await self._loaded(model)
        except (UnknownModel, InvalidField) as error:  # which name all that are offered
            raise UnknownModel(
                f"'{model:.200}' is not offered here; GET /v1/models lists what is."
            ) from error
        raise Forbidden("This model was trained on a collection that the key is not for.")

    def shows(self, model: str) -> bool:
        """Whether the caller may know of an encoder: not if it was trained on what is kept from them."""
        if self.caller is None or not self._has_scope:
            return True
        trained_on = ModelsFolder(self.settings.models_folder).collection_of(model)
        return trained_on is None or self.caller.sees(trained_on)

    def seen_by(self, caller: Caller | None) -> Context:
        """This context, as far as the caller may use it."""
        return replace(self, caller=caller, store=scoped(self.store, caller))

    @property
    def holder(self) -> Caller:
        """Who makes the call. Raises TypeError on a public route, which nobody in particular calls."""
        if self.caller is None:
            raise TypeError("a public route has no caller")
        return self.caller

    @property
    def _has_scope(self) -> bool:
        return self.caller is not None and self.caller.collections is not None

    async def _loaded(self, model: str | None) -> Encoder:
        # A thread only where it may have to wait: under load each hop costs more than the rest of a request.
        loaded = self.encoders.loaded(model)
        return loaded if loaded is not None else await asyncio.to_thread(self.encoders.get, model)

    async def encoder_for(self, collection: Collection) -> Encoder:
        """The encoder that makes a collection's vectors. Raises as `encoder`, and SpaceMismatch."""
        return await self._of(collection.space)

    async def encoders_for(self, collection: Collection) -> list[Encoder]:
        """The encoders that make a collection's vectors, two in a migration. Raises as `encoder_for`."""
        try:
            return [await self._of(space) for space in collection.spaces]
        except (UnknownModel, WeightsMissing, InvalidModel, SpaceMismatch) as error:
            if len(collection.spaces) == 1:
                raise
            raise type(error)(
                f"Collection '{collection.name}' is being migrated, so its images are embedded by both of "
                f"its encoders, '{collection.spaces[0].model}' and '{collection.spaces[1].model}': "
                f"{error.detail} Or end the migration: finish it after cutting over, delete it before."
            ) from error

    async def _of(self, space: Space) -> Encoder:
        encoder = await self._loaded(space.model)
        check_space(encoder, space)
        return encoder

    async def encoder_of(self, model: str | None, collection: str | None) -> Encoder:
        """The encoder of a collection, where one is named, else of a spec.

        Raises UnknownModel, UnknownCollection, SpaceMismatch, and InvalidField where the two disagree.
        """
        if collection is None:
            return await self.encoder(model)
        found = await asyncio.to_thread(self.store.collection, collection)
        if model not in (None, found.space.model):
            raise InvalidField(
                f"Collection '{collection}' is of encoder '{found.space.model}', not '{model}': leave "
                "'model' out."
            )
        return await self.encoder_for(found)

    def explainer(self, encoder: Encoder, target: str, options: TargetOptions) -> Explainer:
        """Makes the maps of one target with one encoder, remembering what it sees."""
        return Explainer(encoder, self.embedder, self.seen, target, options)


async def current(request: Request) -> Context:
    """The running service's context, as far as the caller may use it."""
    # Asynchronous, or FastAPI calls it in a thread, which costs more than all the rest of routing.
    context: Context = request.app.state.context_of(request.state.caller)
    return context


Current = Annotated[Context, Depends(current)]
