"""Images behind URLs, fetched over HTTP with patience."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import httpx

from lookalike_indexer.sources.item import MAX_FILE_BYTES, Unreadable

_ATTEMPTS = 4
_FIRST_STEP = 0.5
_LONGEST_WAIT = 30.0
_TRY_AGAIN = frozenset({429, 500, 502, 503, 504})


class Fetcher:
    """Shares connections; safe to use from several threads. `transport` replaces httpx's."""

    def __init__(
        self,
        transport: httpx.BaseTransport | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        headers = {"User-Agent": "lookalike-indexer"}
        self._client = httpx.Client(
            follow_redirects=True, timeout=30, headers=headers, transport=transport
        )
        self._sleep = sleep

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def fetch(self, url: str) -> bytes:
        """The body of an answer; tried again after 429, 5xx and broken connections.

        Raises Unreadable with the last reason.
        """
        for attempt in range(_ATTEMPTS):
            wait = _FIRST_STEP * 2**attempt
            try:
                with self._client.stream("GET", url) as answer:
                    if answer.is_success:
                        return _body(answer)
                    reason = f"{url} answered HTTP {answer.status_code}."
                    if answer.status_code not in _TRY_AGAIN:
                        break
                    wait = max(wait, _asked(answer))
            except httpx.TransportError as error:
                reason = f"{url} could not be fetched: {error or type(error).__name__}."
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                reason = f"{url} could not be fetched: {error}."
                break
            if attempt + 1 < _ATTEMPTS:
                # Jitter spreads load and guards nothing.
                self._sleep(min(wait, _LONGEST_WAIT) + random.uniform(0, _FIRST_STEP))  # noqa: S311
        raise Unreadable(reason)


def _body(answer: httpx.Response) -> bytes:
    data = bytearray()
    for chunk in answer.iter_bytes():
        data += chunk
        if len(data) > MAX_FILE_BYTES:
            raise Unreadable(
                f"{answer.url} has more than the {MAX_FILE_BYTES} bytes that are read."
            )
    return bytes(data)


def _asked(answer: httpx.Response) -> float:
    """Seconds that Retry-After asks for; its other form, a date, is not read."""
    try:
        return max(0.0, float(answer.headers.get("retry-after", "0")))
    except ValueError:
        return 0.0
