"""Images that are not indexed and are set against a run that exists: a map, or clusters."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from fastapi import Request
from numpy.typing import NDArray

from lookalike_service.api.bodies import multipart_schema, raw_image_schema, read_images
from lookalike_service.api.context import Context
from lookalike_service.api.embed import raise_if_alone
from lookalike_service.errors import LookalikeError
from lookalike_service.store.protocol import Collection
from lookalike_service.workflows.embedding import Embedded

T = TypeVar("T")

IMAGES_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": multipart_schema({"images": "Image files."}, many=True, needed=["images"])
        | raw_image_schema(),
    }
}
"""What OpenAPI says of the body."""


async def of_each(
    request: Request,
    context: Context,
    found: Collection,
    answer: Callable[[NDArray[np.float32]], Sequence[T]],
) -> list[T | LookalikeError]:
    """What `answer` makes of each image of a request, or why the image cannot be used.

    `answer` is given the embeddings of the usable images, float32 (n, dim), n ≥ 1, in a thread. Raises as
    `read_images` and `Context.encoder_for`, and the error of an image that is alone.
    """
    uploads = await read_images(request, context.settings)
    results = await context.embedder.embed(
        await context.encoder_for(found), [upload.data for upload in uploads]
    )
    raise_if_alone(results)
    vectors = [one.encoded.embedding for one in results if isinstance(one, Embedded)]
    answers = iter(await asyncio.to_thread(answer, np.stack(vectors)) if vectors else ())
    return [one if isinstance(one, LookalikeError) else next(answers) for one in results]
