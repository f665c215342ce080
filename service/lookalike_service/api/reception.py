"""What a body may cost while it comes: time, where it dribbles in, and the interpreting of its JSON.

Reading JSON and refusing it field by field hold up every other request. What that takes depends on the
number of values, hardly on bytes: a megabyte of empty objects takes a second, a megabyte of base64 a
thousandth of it.
"""

from __future__ import annotations

import asyncio
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lookalike_service.errors import BodyTooLarge, UploadTooSlow

_BYTES_PER_SECOND = 16_384
_MOST_MEMBERS = 200_000
"""Members of JSON objects. Objects take the most time: about three microseconds a member."""
_MOST_VALUES = 10_000_000
"""Values of JSON lists: a hundred vectors of the longest known encoder."""
_NO_JSON = (b"multipart/", b"image/", b"application/octet-stream")


class Reception:
    """Refuses bodies that come too slowly, and JSON of too many values.

    A body must have come within `seconds` and one more for each 16 kB of it.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self._app, self._seconds = app, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == "http":
            kind = dict(scope["headers"]).get(b"content-type", b"").lower()
            receive = _Incoming(receive, self._seconds, json=not kind.startswith(_NO_JSON))
        await self._app(scope, receive, send)


class _Incoming:
    """The messages of one request."""

    def __init__(self, receive: Receive, seconds: float, *, json: bool) -> None:
        self._receive, self._seconds, self._json = receive, seconds, json
        self._began, self._bytes, self._complete = time.monotonic(), 0, False
        self._members = self._values = 0

    async def __call__(self) -> Message:
        """The next message. Raises UploadTooSlow, BodyTooLarge."""
        if self._complete:
            return await self._receive()
        message = await self._in_time()
        body = message.get("body", b"")
        self._bytes += len(body)
        self._complete = not message.get("more_body", False)
        if self._json:
            self._count(body)
        return message

    async def _in_time(self) -> Message:
        allowed = self._seconds + self._bytes / _BYTES_PER_SECOND
        left = self._began + allowed - time.monotonic()
        try:
            async with asyncio.timeout(max(0, left)):
                return await self._receive()
        except TimeoutError as error:
            raise UploadTooSlow(
                f"Of the body {self._bytes:,} bytes came in {allowed:.0f} s. It must come within "
                f"{self._seconds:g} s, and one more for each {_BYTES_PER_SECOND:,} bytes of it.",
                headers={"Connection": "close"},
            ) from error

    def _count(self, body: bytes) -> None:
        self._members += body.count(b":")
        self._values += body.count(b",")
        if self._members > _MOST_MEMBERS or self._values > _MOST_VALUES:
            raise BodyTooLarge(
                f"The JSON has more than {_MOST_MEMBERS:,} members of objects or {_MOST_VALUES:,} values; "
                "send it in several requests.",
                headers={"Connection": "close"},
            )
