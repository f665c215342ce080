"""Embedding from the thread of a job, in the same batches as everyone else's images."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from lookalike_service.encoders.protocol import Encoder
from lookalike_service.encoders.served import ServedEncoders
from lookalike_service.errors import LookalikeError, Overloaded
from lookalike_service.spaces import Space
from lookalike_service.store.protocol import Vector
from lookalike_service.workflows.embedding import Embedded, Embedder

_AT_ONCE = 16
"""So many images of a job at a time, so that requests get in between."""


class JobEmbedding:
    """Embeds images for jobs, with the service's encoders, on the event loop that they run on."""

    def __init__(
        self, embedder: Embedder, encoders: ServedEncoders, loop: asyncio.AbstractEventLoop
    ) -> None:
        self._embedder, self._encoders, self._loop = embedder, encoders, loop

    def check(self, space: Space) -> None:
        """Return if images can be embedded into this space; the first call for it loads its encoder.

        Raises UnknownModel, InvalidModel, WeightsMissing, SpaceMismatch.
        """
        self._encoders.of(space)

    def embed(
        self, space: Space, images: Sequence[bytes], say: Callable[[], object]
    ) -> list[Vector | LookalikeError]:
        """Embed each image: float32 (dim,) of unit L2 norm, or why there is none.

        `say` is called between batches, and raises where the job is to stop. A full queue is waited for: a
        job has the time. Raises as `check`.
        """
        encoder, outcomes = self._encoders.of(space), list[Vector | LookalikeError]()
        while len(outcomes) < len(images):
            say()
            some = images[len(outcomes) : len(outcomes) + _AT_ONCE]
            try:
                results = self._results(encoder, some)
            except Overloaded as error:
                time.sleep(error.retry_after)
                continue
            outcomes += [
                one.encoded.embedding if isinstance(one, Embedded) else one for one in results
            ]
        return outcomes

    def _results(
        self, encoder: Encoder, images: Sequence[bytes]
    ) -> list[Embedded | LookalikeError]:
        call = self._embedder.embed(encoder, images, bulk=True)
        return asyncio.run_coroutine_threadsafe(call, self._loop).result()
