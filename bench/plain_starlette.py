"""The least that serves an encoder in batches: Starlette, a thread pool that decodes, a micro-batcher.

No limits, no checks, no metrics, no errors but a traceback: what a service of one's own begins with.
"""

from __future__ import annotations

import asyncio
import io
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import orjson
import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bench.trivial_encoder import SIZE, embed

MOST, WAIT_SECONDS = 32, 0.002
Waiting = tuple[np.ndarray, "asyncio.Future[np.ndarray]"]


def decode(data: bytes) -> np.ndarray:
    image = Image.open(io.BytesIO(data)).convert("RGB")
    return np.asarray(image if image.size == (SIZE, SIZE) else image.resize((SIZE, SIZE)))


class Batcher:
    """Gathers for WAIT_SECONDS or until there are MOST, then runs the encoder in a thread."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[Waiting] = asyncio.Queue()
        self._threads = ThreadPoolExecutor(os.cpu_count() or 1)
        self._task: asyncio.Task[None] | None = None

    async def embed(self, data: bytes) -> np.ndarray:
        """The vector of an image file."""
        loop = asyncio.get_running_loop()
        if self._task is None:
            self._task = loop.create_task(self._run())
        pixels = await loop.run_in_executor(self._threads, decode, data)
        future: asyncio.Future[np.ndarray] = loop.create_future()
        self._waiting.put_nowait((pixels, future))
        return await future

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            batch = [await self._waiting.get()]
            end = loop.time() + WAIT_SECONDS
            while len(batch) < MOST and (left := end - loop.time()) > 0:
                try:
                    batch.append(await asyncio.wait_for(self._waiting.get(), left))
                except TimeoutError:
                    break
            pixels = np.stack([one for one, _ in batch])
            vectors = await loop.run_in_executor(self._threads, embed, pixels)
            for (_, future), vector in zip(batch, vectors, strict=True):
                future.set_result(vector)


batcher = Batcher()


async def post(request: Request) -> Response:
    vector = await batcher.embed(await request.body())
    body = orjson.dumps({"embedding": vector}, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(body, media_type="application/json")


app = Starlette(routes=[Route("/v1/embed", post, methods=["POST"])])

if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(os.environ["LOOKALIKE_PORT"]),
        log_config=None,
        access_log=False,
    )
