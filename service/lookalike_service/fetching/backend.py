"""Connections to addresses that were looked up and checked here, and to no other."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import httpcore

from lookalike_service.errors import UrlRefused

Resolve = Callable[[str, int], Awaitable[list[str]]]
_MOST_ADDRESSES = 4


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, in the order to try them. Raises OSError, UnicodeError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(place[0]) for *_, place in found))


class CheckedBackend(httpcore.AsyncNetworkBackend):
    """Looks a host up once, refuses it if any of its addresses is not allowed, and connects to one of these.

    A name that is another address a moment later (DNS rebinding) is of no use then. TLS still checks the
    certificate against the name.
    """

    def __init__(self, resolve: Resolve, is_allowed: Callable[[str], bool]) -> None:
        self._resolve, self._is_allowed = resolve, is_allowed
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection. Raises UrlRefused, httpcore.ConnectError."""
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:  # a label that is too long is the latter
            raise httpcore.ConnectError("the host name is unknown") from error
        if not all(map(self._is_allowed, addresses)):
            raise UrlRefused(f"'{host:.100}' has an address that is not on the public internet.")
        failure = httpcore.ConnectError("the host has no address")
        for address in addresses[:_MOST_ADDRESSES]:
            try:
                return await self._backend.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except httpcore.ConnectError as error:
                failure = error
        raise failure

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ARG002, ASYNC109 - the interface is httpcore's
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        """Never. Raises UrlRefused."""
        raise UrlRefused(f"'{path}' is a socket of this machine.")
