"""What the routes work with: one value, built at start, passed to every call."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from lookalike_service.api.metrics import Metrics
from lookalike_service.encoders.protocol import Encoder
from lookalike_service.encoders.served import ServedEncoders, check_space
from lookalike_service.errors import (
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
from lookalike_service.workflows.embedding import Embedder
from lookalike_service.workflows.explaining import Explainer
from lookalike_service.workflows.seen import SeenCache


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

    async def encoder(self, model: str | None) -> Encoder:
        """The encoder of a spec, the default one for None; the first call for it loads it.

        Raises UnknownModel, InvalidModel, WeightsMissing.
        """
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
        encoder = await self.encoder(space.model)
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


def current(request: Request) -> Context:
    """The running service's context."""
    context: Context = request.app.state.context
    return context


Current = Annotated[Context, Depends(current)]
