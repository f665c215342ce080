"""What pages of other sites may make a browser send to a service that asks for no key: nothing.

A page anywhere can have its visitor's browser send requests to 127.0.0.1. It cannot read the answers without
CORS, but a form or an image needs no permission to be sent, so it could index or delete. And it can read
them after DNS rebinding: it gives its own host name the address 127.0.0.1, which makes the service part of
its own origin. Where there are keys neither helps it: browsers do not add the key by themselves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lookalike_service.access.exposure import is_loopback
from lookalike_service.errors import Forbidden
from lookalike_service.settings import Settings

Headers = Mapping[bytes, bytes]
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d+)?")
_PROBES = {"/livez", "/readyz"}  # orchestrators ask for them by all sorts of addresses
_FOREIGN = {b"cross-site", b"same-site"}


class Browsers:
    """Knows requests for a host name that is not the service's, and without keys those of other sites."""

    def __init__(self, settings: Settings, *, has_keys: bool) -> None:
        self._hosts = {host.lower() for host in settings.hosts}
        self._origins = {origin.encode() for origin in settings.cors_origins}
        self._any_host = not self._hosts and (has_keys or settings.open)
        self._has_keys = has_keys

    def check(self, scope: Mapping[str, Any], headers: Headers) -> None:
        """Return if no page of another site made a browser send this. Raises Forbidden."""
        if scope["path"] in _PROBES:
            return
        host = headers.get(b"host", b"").decode("latin-1")
        if not self._answers_to(host):
            raise Forbidden(
                f"This service does not answer to the host name '{host:.100}', which a page of another site "
                "may have made up; if it is yours, put it into LOOKALIKE_HOSTS."
            )
        if not self._has_keys and self._is_foreign(scope["method"], headers, host):
            raise Forbidden(
                "A page of another origin made this request, and this service asks for no key. If that page "
                "may use it, put its origin into LOOKALIKE_CORS_ORIGINS."
            )

    def _answers_to(self, host: str) -> bool:
        if self._any_host or not host:  # browsers always name one
            return True
        found = _HOST.fullmatch(host.lower())
        return found is not None and (found[1] in self._hosts or is_loopback(found[1]))

    def _is_foreign(self, method: str, headers: Headers, host: str) -> bool:
        """Whether a page of another origin sends it, other than by a link that is followed.

        Scripts can set none of these headers (Fetch Metadata Request Headers, W3C). `same-site` is
        foreign too: a site's other ports and subdomains.
        """
        origin, site = headers.get(b"origin"), headers.get(b"sec-fetch-site")
        if origin in self._origins:
            return False
        if site is not None:
            followed = method in {"GET", "HEAD"} and headers.get(b"sec-fetch-mode") == b"navigate"
            return site in _FOREIGN and not followed
        return origin is not None and origin.partition(b"://")[2].decode("latin-1") != host
