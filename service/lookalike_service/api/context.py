"""What the routes work with: one value, built at start, passed to every call."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from lookalike_service.api.metrics import Metrics
from lookalike_service.encoders.protocol import Encoder
from lookalike_service.errors import SpaceMismatch, UnknownModel
from lookalike_service.jobs.runner import JobRunner
from lookalike_service.settings import Settings
from lookalike_service.store.protocol import Collection, Store
from lookalike_service.workflows.embedding import Embedder


@dataclass(frozen=True)
class Encoders:
    """The encoders that are served."""

    default: Encoder

    def __iter__(self) -> Iterator[Encoder]:
        yield self.default

    def get(self, model: str | None) -> Encoder:
        """The encoder of this spec, the default one for None. Raises UnknownModel."""
        if model is None:
            return self.default
        served = {encoder.info.model: encoder for encoder in self}
        if model not in served:
            close = difflib.get_close_matches(model, served, n=3, cutoff=0.0)
            raise UnknownModel(f"No encoder '{model}' is served here; served: {', '.join(close)}.")
        return served[model]

    def of(self, collection: Collection) -> Encoder:
        """The encoder that makes a collection's vectors. Raises UnknownModel, SpaceMismatch."""
        encoder = self.get(collection.space.model)
        if encoder.info.space != collection.space:
            raise SpaceMismatch(
                f"Collection '{collection.name}' holds vectors of space {collection.space.id}, but "
                f"'{encoder.info.model}' makes space {encoder.info.space.id} here: its weights, pooling "
                "or preprocessing differ. Serve the former ones, or index into a new collection."
            )
        return encoder


@dataclass(frozen=True)
class Context:
    """Everything a route needs."""

    settings: Settings
    encoders: Encoders
    embedder: Embedder
    store: Store
    jobs: JobRunner
    metrics: Metrics


def current(request: Request) -> Context:
    """The running service's context."""
    context: Context = request.app.state.context
    return context


Current = Annotated[Context, Depends(current)]
