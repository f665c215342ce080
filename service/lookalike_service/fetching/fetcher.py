"""Fetching pictures: from listed hosts, within size and time, redirects checked like the URL itself."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Sequence
from functools import cached_property

import httpcore
import httpx

from lookalike_service import __version__
from lookalike_service.errors import ImageTooLarge, LookalikeError, UrlFailed, UrlRefused
from lookalike_service.fetching.allowed import is_listed, is_public
from lookalike_service.fetching.backend import CheckedBackend, Resolve, resolve
from lookalike_service.settings import Settings

_AT_ONCE = 8
_MOST_REDIRECTS = 3
_REDIRECTS = {301, 302, 303, 307, 308}
_HEADERS: dict[bytes | str, bytes | str] = {
    "Accept": "image/*",
    # What is unpacked here could be a bomb; pictures are compressed already.
    "Accept-Encoding": "identity",
    "User-Agent": f"lookalike/{__version__}",
}


class Fetcher:
    """Fetches at most eight pictures at a time, for all callers together.

    Proxies and credentials of the environment are not used: the connection is the one that was checked.
    """

    def __init__(
        self,
        settings: Settings,
        resolve: Resolve = resolve,
        is_allowed: Callable[[str], bool] = is_public,
    ) -> None:
        self._settings = settings
        self._backend = CheckedBackend(resolve, is_allowed)
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def fetch_all(self, urls: Sequence[str]) -> list[bytes | LookalikeError]:
        """Each picture or why there is none: UrlRefused, UrlFailed, ImageTooLarge.

        Together they are no larger than a request's body may be.
        """
        room = _Room(self._settings.max_body_bytes)
        return await asyncio.gather(*(self._alone(url, room) for url in urls))

    async def _alone(self, url: str, room: _Room) -> bytes | LookalikeError:
        try:
            async with self._free, asyncio.timeout(self._settings.url_seconds):
                return await self._fetch(url, room)
        except LookalikeError as error:
            return error
        except TimeoutError:
            seconds = self._settings.url_seconds
            return UrlFailed(f"The picture did not arrive within {seconds:g} s.")
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException) as error:
            return UrlFailed(f"The picture could not be fetched: {error or type(error).__name__}.")

    async def _fetch(self, url: str, room: _Room) -> bytes:
        place = self._checked(url)
        for _ in range(_MOST_REDIRECTS + 1):
            async with httpcore.AsyncConnectionPool(
                self._trusted, network_backend=self._backend
            ) as pool:
                target = httpcore.URL(
                    scheme=place.raw_scheme,
                    host=place.raw_host,
                    port=place.port,
                    target=place.raw_path,
                )
                async with pool.stream("GET", target, headers=_HEADERS) as answer:
                    if answer.status not in _REDIRECTS:
                        return await self._read(answer, room)
                    location = _header(answer, b"location")
            place = self._checked(location, base=place)
        raise UrlFailed(f"More than {_MOST_REDIRECTS} redirects.")

    def _checked(self, url: str, base: httpx.URL | None = None) -> httpx.URL:
        """The URL, if it may be fetched. Raises UrlRefused."""
        patterns = self._settings.url_hosts
        if not patterns:
            raise UrlRefused(
                "This service fetches no URLs: send the picture itself. Its operator allows hosts with "
                "LOOKALIKE_URL_HOSTS, a JSON list of names and patterns."
            )
        try:
            place = httpx.URL(url) if base is None else base.join(url)
        except (httpx.InvalidURL, ValueError) as error:
            raise UrlRefused(f"'{url:.200}' is no URL: {error}.") from error
        if place.scheme not in {"http", "https"} or not place.raw_host:
            raise UrlRefused(f"'{url:.200}' is no http or https URL with a host.")
        if place.userinfo:
            raise UrlRefused("A URL with a user name or password is not fetched.")
        host = place.raw_host.decode("ascii").rstrip(".")
        if not is_listed(place.scheme, host, place.port, patterns):
            where = host if place.port is None else f"{host}:{place.port}"
            raise UrlRefused(
                f"'{where:.200}' is not one of the hosts that this service fetches from."
            )
        return place

    async def _read(self, answer: httpcore.Response, room: _Room) -> bytes:
        if answer.status != 200:
            raise UrlFailed(f"The host answered {answer.status} instead of a picture.")
        if _header(answer, b"content-encoding") not in {"", "identity"}:
            raise UrlFailed("The host sent the picture packed, which it was asked not to.")
        most = self._settings.max_image_bytes
        declared = _header(answer, b"content-length")
        if declared.isdigit() and int(declared) > most:
            raise ImageTooLarge(f"The picture has {declared} bytes; at most {most} are taken.")
        body = bytearray()
        async for chunk in answer.aiter_stream():
            body += chunk
            room.take(len(chunk))
            if len(body) > most:
                raise ImageTooLarge(
                    f"The picture has more than {most} bytes, the most that are taken."
                )
        return bytes(body)

    @cached_property
    def _trusted(self) -> ssl.SSLContext:
        """The certificates to trust; reading them takes a moment."""
        return httpx.create_ssl_context()


class _Room:
    """Bytes that the pictures of one request may still have together."""

    def __init__(self, most: int) -> None:
        self._most = self._left = most

    def take(self, count: int) -> None:
        """Raises ImageTooLarge where there is no more room."""
        self._left -= count
        if self._left < 0:
            raise ImageTooLarge(
                f"The pictures of one request may have {self._most} bytes together; fetch them in several."
            )


def _header(answer: httpcore.Response, name: bytes) -> str:
    """A header of the answer, "" if it has none."""
    for key, value in answer.headers:
        if key.lower() == name:
            return value.decode("latin-1").strip()
    return ""
