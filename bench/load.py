"""Many clients at once, as cheap as can be: prepared requests over raw sockets.

The clients share the cores with the service, so an ordinary HTTP client would measure itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Load:
    """What the clients saw: requests per second, and each latency in seconds.

    `cores`: how many cores the clients themselves kept busy.
    """

    rate: float
    latencies: list[float]
    cores: float


def request(path: str, body: bytes, content_type: str = "image/jpeg") -> bytes:
    """A POST with a body, to be sent as it is."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def run(
    port: int, requests: Sequence[bytes], *, clients: int, total: int, refusals: bool = False
) -> Load:
    """Send `total` requests from `clients` connections.

    Raises RuntimeError on an answer but 200, with `refusals` but 200 or 429.
    """
    allowed = {200, 429} if refusals else {200}
    return asyncio.run(_run(port, requests, clients, total, allowed))


async def _run(
    port: int, requests: Sequence[bytes], clients: int, total: int, allowed: set[int]
) -> Load:
    latencies: list[float] = []
    numbers = iter(range(total))

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in numbers:
            start = time.perf_counter()
            writer.write(requests[number % len(requests)])
            answer = await status(reader)
            if answer not in allowed:
                raise RuntimeError(f"answered with {answer}")
            if answer != 200:
                await asyncio.sleep(0.1)
            latencies.append(time.perf_counter() - start)
        writer.close()
        await writer.wait_closed()

    start, busy = time.perf_counter(), time.process_time()
    await asyncio.gather(*(client() for _ in range(clients)))
    seconds = time.perf_counter() - start
    return Load(total / seconds, latencies, (time.process_time() - busy) / seconds)


async def status(reader: asyncio.StreamReader) -> int:
    """The status of the next answer, once it was read to its end."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    await reader.readexactly(length)
    return int(head[9:12])
