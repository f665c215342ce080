"""Images at URLs, fetched from here; it imports httpx, so it is loaded with the first URL."""

from __future__ import annotations

import base64
import binascii
from urllib.parse import unquote_to_bytes

import httpx

from lookalike.errors import DownloadFailed, InvalidInput

_TIMEOUT_SECONDS = 30.0
_MAX_BYTES = 256 * 2**20  # what the service takes as a whole body, unless it is set otherwise


def download(url: str) -> bytes:
    """The bytes at an http or https address; redirects are followed, no key is sent.

    Raises DownloadFailed, InvalidInput for what is no address.
    """
    try:
        with httpx.stream("GET", url, follow_redirects=True, timeout=_TIMEOUT_SECONDS) as answer:
            if not answer.is_success:
                raise DownloadFailed(f"{url} answered {answer.status_code} {answer.reason_phrase}.")
            return _body(url, answer)
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise InvalidInput(f"{url[:80]!r} is no address of http or https ({error}).") from error
    except httpx.HTTPError as error:
        reason = str(error) or type(error).__name__
        raise DownloadFailed(f"{url} could not be fetched ({reason}).") from error


def _body(url: str, answer: httpx.Response) -> bytes:
    body = bytearray()
    for chunk in answer.iter_bytes():
        body += chunk
        if len(body) > _MAX_BYTES:
            raise DownloadFailed(f"{url} has more than {_MAX_BYTES} bytes.")
    return bytes(body)


def data_url(url: str) -> bytes:
    """The bytes that a `data:` URL holds (RFC 2397). Raises InvalidInput."""
    head, comma, data = url.partition(",")
    if not comma:
        raise InvalidInput(f"{url[:80]!r} is no data: URL: a comma must come before the data.")
    raw = unquote_to_bytes(data)
    if not head.lower().endswith(";base64"):
        return raw
    try:
        return base64.b64decode(raw, validate=True)
    except binascii.Error as error:
        raise InvalidInput(f"{head},… does not hold base64 ({error}).") from error
