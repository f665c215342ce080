"""What answers: the service or nobody at its port, and the Qdrant server."""

from __future__ import annotations

import errno
import json
import time
from collections.abc import Iterator
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from importlib import metadata
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

from lookalike_service.doctor.finding import Finding, Surroundings, ok, problem, skipped, warning
from lookalike_service.port import check_free

_SECONDS = 12.0
_SKEW_SECONDS = 30.0
_MINORS_APART = 1
_QDRANT_PORT = 6333


class Silent(Exception):
    """Nothing answers at an address."""


def service(surroundings: Surroundings) -> Iterator[Finding]:
    """The running service: alive, ready, of this version, and its clock."""
    url = surroundings.url
    try:
        status, headers, body = get(f"{url}/livez")
    except Silent as error:
        yield from _port(surroundings, str(error))
        return
    if status != 200 or body.strip() != b"ok":
        todo = "stop that program, or choose another port (--port, LOOKALIKE_PORT; clients: --url)"
        yield problem("service", f"what answers at {url} is not Lookalike", todo)
        return
    yield from _ready(url)
    yield from _same_version(url, surroundings.api_key)
    yield from _clock(headers)


def _ready(url: str) -> Iterator[Finding]:
    try:
        status, _, body = get(f"{url}/readyz")
    except Silent as error:
        yield problem("service", f"{url}/readyz: {error}", "look at its log, and restart it")
        return
    if status == 200:
        yield ok("service", f"ready at {url}")
    else:
        detail = _json(body).get("detail", f"status {status}")
        yield problem("service", f"answers at {url} but is not ready: {detail}", "see its log")


def _same_version(url: str, key: str | None) -> Iterator[Finding]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        status, _, body = get(f"{url}/v1/info", headers)
    except Silent:
        return  # said already
    ours, theirs = metadata.version("lookalike"), _json(body).get("version")
    if status in {401, 403}:
        todo = "give a key: LOOKALIKE_API_KEY (`lookalike keys new` makes one)"
        yield warning("key", f"{url} asks for an API key, and this one will not do", todo)
    elif status == 200 and theirs != ours:
        yield warning(
            "versions", f"the service is {theirs}, this is {ours}", "update the older one"
        )
    elif status == 200:
        yield ok("versions", f"the service and this are {ours}")


def _clock(headers: Message) -> Iterator[Finding]:
    if headers["Date"] is None:
        return
    apart = abs(time.time() - parsedate_to_datetime(headers["Date"]).timestamp())
    if apart > _SKEW_SECONDS:
        todo = "set both clocks by NTP: keys expire, and jobs change owners, by the clock"
        yield warning("clock", f"the service's is {apart:.0f} s off this machine's", todo)
    else:
        yield ok("clock", "agrees with the service's")


def _port(surroundings: Surroundings, why: str) -> Iterator[Finding]:
    """Whether a service could start, where none answers."""
    settings = surroundings.settings
    if settings is None:
        yield warning("service", f"nothing answers at {surroundings.url} ({why})", "start it there")
        return
    try:
        check_free(settings.host, settings.port)
    except OSError as error:
        taken = error.errno == errno.EADDRINUSE
        todo = (
            "another program has the port; choose another (--port)"
            if taken
            else "choose an address of this machine (--host) and a port above 1023 (--port)"
        )
        what = f"port {settings.port} of {settings.host}: {error.strerror}"
        yield problem("service", what, todo)
        return
    yield ok("service", f"not running; port {settings.port} of {settings.host} is free")


def qdrant(surroundings: Surroundings) -> Iterator[Finding]:
    """The Qdrant server: reachable, with this key, of a version that the client speaks to."""
    settings = surroundings.settings
    if settings is None or settings.qdrant_url is None:
        yield skipped("qdrant", "no server is used")
        return
    address = _address(settings.qdrant_url)
    if address is None:
        todo = "write it as http://HOST:6333 or https://HOST:6333"
        yield problem("qdrant", "LOOKALIKE_QDRANT_URL is no address with http:// or https://", todo)
        return
    shown, root = address
    key = settings.qdrant_api_key
    headers = {"api-key": key.get_secret_value()} if key else {}
    try:
        status, _, _ = get(f"{root}/collections", headers)
        version = str(_json(get(f"{root}/", headers)[2]).get("version", ""))
    except Silent as error:
        todo = "start it, or correct LOOKALIKE_QDRANT_URL"
        yield problem("qdrant", f"nothing answers at {shown} ({error})", todo)
        return
    if status in {401, 403}:
        yield problem("qdrant", f"{shown} refuses the key", "correct LOOKALIKE_QDRANT_API_KEY")
    elif status != 200 or not version:
        todo = "correct LOOKALIKE_QDRANT_URL"
        yield problem("qdrant", f"what answers at {shown} is not Qdrant (status {status})", todo)
    else:
        yield _compatible(shown, version, metadata.version("qdrant-client"))


def _address(given: str) -> tuple[str, str] | None:
    """Host and port of a server, and its address without a password; None for what is no address."""
    try:
        url = urlsplit(given)
        shown = f"{url.hostname}:{url.port or _QDRANT_PORT}"
    except ValueError:
        return None
    if url.scheme not in {"http", "https"} or not url.hostname:
        return None
    return shown, f"{url.scheme}://{shown}{url.path.rstrip('/')}"


def _compatible(shown: str, server: str, client: str) -> Finding:
    """Qdrant keeps its API compatible over one minor version."""
    (major, minor), (ours_major, ours_minor) = (
        [int(part) for part in version.split(".")[:2]] for version in (server, client)
    )
    if major != ours_major or abs(minor - ours_minor) > _MINORS_APART:
        todo = f"use a server of {ours_major}.{ours_minor - 1} or {ours_major}.{ours_minor}"
        return warning("qdrant", f"{shown} is {server}, the client {client}", todo)
    return ok("qdrant", f"{server} at {shown}, client {client}")


def get(url: str, headers: dict[str, str] | None = None) -> tuple[int, Message, bytes]:
    """Status, headers and body of an answer, whatever its status. Raises Silent."""
    opener = build_opener(ProxyHandler({}))  # these are addresses of one's own
    try:
        with opener.open(Request(url, headers=headers or {}), timeout=_SECONDS) as response:  # noqa: S310 - http
            return response.status, response.headers, response.read()
    except HTTPError as error:
        with error:
            return error.code, error.headers, error.read()
    except (URLError, OSError, HTTPException, ValueError) as error:
        raise Silent(str(getattr(error, "reason", error))) from error


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
