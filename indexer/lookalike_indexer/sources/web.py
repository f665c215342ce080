"""Images behind URLs, fetched over HTTP with patience."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cache
from itertools import count

import httpx

from lookalike.retrying import back_off
from lookalike_indexer.sources.item import MAX_FILE_BYTES, Unreadable

_RETRIES = 4
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

    def __reduce__(self) -> tuple[Callable[[], Fetcher], tuple[()]]:
        """In another process it is that one's own."""
        return _of_this_process, ()

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def fetch(self, url: str) -> bytes:
        """The body of an answer; tried again after 429, 5xx and broken connections.

        Raises Unreadable with the last reason.
        """
        for attempt in count():
            asked = None
            try:
                with self._client.stream("GET", url) as answer:
                    if answer.is_success:
                        return _body(answer)
                    reason = f"{url} answered HTTP {answer.status_code}."
                    if answer.status_code not in _TRY_AGAIN:
                        break
                    asked = _asked(answer)
            except httpx.TransportError as error:
                reason = f"{url} could not be fetched: {error or type(error).__name__}."
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                reason = f"{url} could not be fetched: {error}."
                break
            wait = back_off(asked, attempt=attempt, retries=_RETRIES)
            if wait is None:
                break
            self._sleep(wait)
        raise Unreadable(reason)


@cache
def _of_this_process() -> Fetcher:
    return Fetcher()


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
