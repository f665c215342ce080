"""What bodies may cost while they come: time, memory, and the interpreting of their JSON.

Reading JSON and refusing it field by field hold up every other request. What that takes depends on the
number of values, hardly on bytes: a megabyte of empty objects takes a second, a megabyte of base64 a
thousandth of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from starlette.types import Message, Receive

from lookalike_service.batching.bounds import refusal
from lookalike_service.errors import BodyTooLarge, UploadTooSlow
from lookalike_service.settings import Settings
from lookalike_service.telemetry.metrics import Metrics

_BYTES_PER_SECOND = 16_384
_MOST_MEMBERS = 200_000
"""Members of JSON objects. Objects take the most time: about three microseconds a member."""
_MOST_VALUES = 10_000_000
"""Values of JSON lists: a hundred vectors of the longest known encoder."""
_NO_JSON = (b"multipart/", b"image/", b"application/octet-stream")
_CLOSE = {"Connection": "close"}


class Bodies:
    """The bodies of all requests that are not answered yet, and what they may be.

    `most_bytes` of one, which must have come within `seconds` and one more for each 16 kB of it; `most_held`
    bytes of all together, where a body that is alone always may come.
    """

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self.most_bytes, self.most_held = settings.max_body_bytes, settings.max_bodies_bytes
        self.seconds, self.held = settings.upload_seconds, 0
        self._metrics = metrics

    def check(self, declared: bytes) -> None:
        """Return if a body of this Content-Length may come. Raises BodyTooLarge, Overloaded."""
        length = int(declared) if declared.isdigit() else 0
        if length > self.most_bytes:
            raise self.too_large()
        self.check_room(length)

    def check_room(self, more: int) -> None:
        """Return if so many more bytes may be held. Raises Overloaded."""
        if self.held and self.held + more > self.most_held:
            self._metrics.refused.labels("bodies").inc()
            raise refusal(
                "bodies",
                1,
                f"Request bodies of {self.held:,} bytes are held in memory; "
                f"at most {self.most_held:,} may be.",
            )

    def too_large(self) -> BodyTooLarge:
        """The error of a body that is."""
        return BodyTooLarge(
            f"The request body exceeds {self.most_bytes} bytes; send the images in several requests.",
            headers=_CLOSE,
        )


class Body:
    """The messages of one request, as ASGI's `receive`; after the body it tells when the client leaves."""

    __slots__ = (
        "_began", "_bodies", "_bytes", "_complete", "_held", "_json", "_members", "_receive", "_values",
    )  # fmt: skip

    def __init__(self, bodies: Bodies, receive: Receive, headers: Mapping[bytes, bytes]) -> None:
        self._bodies, self._receive = bodies, receive
        self._json = not headers.get(b"content-type", b"").lower().startswith(_NO_JSON)
        self._began, self._bytes, self._complete = time.monotonic(), 0, False
        self._held = 0
        self._members = self._values = 0

    async def __call__(self) -> Message:
        """The next message. Raises BodyTooLarge, UploadTooSlow, Overloaded."""
        if self._complete:
            return await self._receive()
        message = await self._in_time()
        self._complete = not message.get("more_body", False)
        if body := message.get("body", b""):
            self._receive_more(len(body))
            if self._json:
                self._count(body)
        return message

    def keep(self, more: int) -> None:
        """Hold so many bytes that belong to the request and did not come in its body. Raises Overloaded."""
        if self._held < self._bodies.held:  # others hold something too
            self._bodies.check_room(more)
        self._held += more
        self._bodies.held += more

    def free(self) -> None:
        """The request is answered."""
        self._bodies.held -= self._held
        self._held = 0

    async def left(self) -> None:
        """Return once the client is gone. The body must have been read."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _in_time(self) -> Message:
        seconds = self._bodies.seconds
        allowed = seconds + self._bytes / _BYTES_PER_SECOND
        left = self._began + allowed - time.monotonic()
        try:
            async with asyncio.timeout(max(0, left)):
                return await self._receive()
        except TimeoutError as error:
            raise UploadTooSlow(
                f"Of the body {self._bytes:,} bytes came in {allowed:.0f} s. It must come within "
                f"{seconds:g} s, and one more for each {_BYTES_PER_SECOND:,} bytes of it.",
                headers=_CLOSE,
            ) from error

    def _receive_more(self, more: int) -> None:
        if self._bytes + more > self._bodies.most_bytes:
            raise self._bodies.too_large()
        self.keep(more)
        self._bytes += more

    def _count(self, body: bytes) -> None:
        self._members += body.count(b":")
        self._values += body.count(b",")
        if self._members > _MOST_MEMBERS or self._values > _MOST_VALUES:
            raise BodyTooLarge(
                f"The JSON has more than {_MOST_MEMBERS:,} members of objects or {_MOST_VALUES:,} values; "
                "send it in several requests.",
                headers=_CLOSE,
            )
