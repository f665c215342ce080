"""What every answer tells browsers, and which pages of other origins may read answers."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from lookalike_service.settings import Settings

SECURITY: dict[bytes, bytes] = {
    b"x-content-type-options": b"nosniff",
    # Answers are data: if one is ever shown as a page, it may load and run nothing, nor be framed.
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
}
"""Headers of every answer; a route's own go before them."""
_SENT = [
    "Authorization", "Content-Type", "X-API-Key", "X-Deadline-Seconds", "X-Priority", "X-Request-Id",
]  # fmt: skip
_READ = ["Content-Disposition", "ETag", "Retry-After", "WWW-Authenticate", "X-Request-Id"]
_REMEMBERED_SECONDS = 600


def every_answer(*, has_keys: bool) -> dict[bytes, bytes]:
    """`SECURITY`, and where the service has keys what keeps what they open out of caches."""
    return SECURITY | ({b"cache-control": b"no-store"} if has_keys else {})


class CrossOrigin(CORSMiddleware):
    """CORS for the origins in the settings, whose own answers have the headers that all have.

    Cookies are not used, so that a browser adds nothing by itself that would let a page in.
    """

    def __init__(self, app: ASGIApp, settings: Settings, *, has_keys: bool) -> None:
        super().__init__(
            app,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=_SENT,
            expose_headers=_READ,
            max_age=_REMEMBERED_SECONDS,
        )
        self._added = every_answer(has_keys=has_keys)

    def preflight_response(self, request_headers: Headers) -> Response:
        """See `CORSMiddleware`."""
        response = super().preflight_response(request_headers)
        response.raw_headers.extend(self._added.items())
        return response


def cross_origin(settings: Settings, *, has_keys: bool) -> list[Middleware]:
    """What lets pages of other origins in, by default none."""
    if not settings.cors_origins:
        return []
    return [Middleware(CrossOrigin, settings=settings, has_keys=has_keys)]
