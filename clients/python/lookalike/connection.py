"""Connections to the service; httpx takes longer to import than all else, so only the first client does."""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

import httpx

from lookalike.address import Address
from lookalike.call import Answer, Call
from lookalike.errors import ConnectionFailed, InvalidInput, TimedOut
from lookalike.retrying import Failure

DEFAULT_URL = "http://127.0.0.1:3000"


class Connection:
    """Sends calls, blocking. Safe to share between threads."""

    def __init__(
        self, address: Address, timeout: float, transport: httpx.BaseTransport | None
    ) -> None:
        settings = _settings(address)
        self._client = httpx.Client(**settings, timeout=timeout, transport=transport)
        self.url: str = settings["base_url"]

    def attempt(self, call: Call[Any]) -> Answer | Failure:
        """Send once."""
        try:
            with self._client.stream(call.method, call.path, **_request(call)) as response:
                if call.into is not None and response.is_success:
                    with appearing(call.into) as file:
                        for chunk in response.iter_bytes():
                            file.write(chunk)
                    return _answer(response, saved=call.into)
                response.read()
        except httpx.TransportError as error:
            return _failure(error, self.url)
        return _answer(response)

    def close(self) -> None:
        """Close all connections."""
        self._client.close()


class AsyncConnection:
    """Sends calls from an event loop."""

    def __init__(
        self, address: Address, timeout: float, transport: httpx.AsyncBaseTransport | None
    ) -> None:
        settings = _settings(address)
        self._client = httpx.AsyncClient(**settings, timeout=timeout, transport=transport)
        self.url: str = settings["base_url"]

    async def attempt(self, call: Call[Any]) -> Answer | Failure:
        """Send once."""
        try:
            async with self._client.stream(call.method, call.path, **_request(call)) as response:
                if call.into is not None and response.is_success:
                    with appearing(call.into) as file:
                        async for chunk in response.aiter_bytes():
                            await asyncio.to_thread(file.write, chunk)
                    return _answer(response, saved=call.into)
                await response.aread()
        except httpx.TransportError as error:
            return _failure(error, self.url)
        return _answer(response)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()


def _settings(address: Address) -> dict[str, Any]:
    base_url = address.url or os.environ.get("LOOKALIKE_URL") or DEFAULT_URL
    key = address.api_key or os.environ.get("LOOKALIKE_API_KEY")
    if not base_url.startswith(("http://", "https://")):
        raise InvalidInput(f"The service's URL must begin with http:// or https://: {base_url!r}.")
    headers = {"User-Agent": f"lookalike-python/{version('lookalike')}"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    if address.priority is not None:
        headers["X-Priority"] = address.priority
    if address.deadline is not None:
        headers["X-Deadline-Seconds"] = f"{address.deadline:g}"
    return {"base_url": base_url, "headers": headers}


def _request(call: Call[Any]) -> dict[str, Any]:
    # All parts are named alike: a part needs some file name, and the true one may not be sendable.
    files = [(name, ("image", file.data, "application/octet-stream")) for name, file in call.files]
    return {
        "params": call.query,
        "json": call.json,
        "data": call.form,
        "files": files or None,
        "headers": {"Accept": call.accept} | _trace_headers(),
    }


def _trace_headers() -> dict[str, str]:
    """`traceparent` of the span that the caller is in, if the caller's program uses OpenTelemetry."""
    headers: dict[str, str] = {}
    if "opentelemetry.trace" in sys.modules:
        import_module("opentelemetry.propagate").inject(headers)
    return headers


@contextmanager
def appearing(path: Path) -> Iterator[IO[bytes]]:
    """A file to write that is at `path` once it is whole, and nowhere if that fails."""
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _answer(response: httpx.Response, *, saved: Path | None = None) -> Answer:
    request = f"{response.request.method} {response.request.url}"
    headers = {name.lower(): value for name, value in response.headers.items()}
    body = b"" if saved else response.content
    return Answer(response.status_code, headers, body, request, saved)


def _failure(error: httpx.TransportError, url: str) -> Failure:
    sent = not isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout))
    reason = str(error) or type(error).__name__
    if isinstance(error, httpx.TimeoutException):
        return Failure(TimedOut(f"No answer from {url} in time ({reason})."), sent)
    what = "The connection broke" if sent else "Nothing answers"
    return Failure(ConnectionFailed(f"{what} at {url} ({reason}); is the service running?"), sent)
