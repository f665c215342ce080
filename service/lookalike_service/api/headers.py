"""What every answer tells browsers, and which pages of other origins may read answers."""

from __future__ import annotations

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lookalike_service.settings import Settings

SECURITY: dict[bytes, bytes] = {
    b"x-content-type-options": b"nosniff",
    # Answers are data: if one is ever shown as a page, it may load and run nothing, nor be framed.
    b"content-security-policy": b"default-src 'none'; frame-ancestors 'none'",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-resource-policy": b"same-origin",
}
"""Headers of every answer; a route's own go before them."""
_SENT = ["Authorization", "Content-Type", "X-API-Key", "X-Request-Id"]
_READ = ["Content-Disposition", "ETag", "Retry-After", "WWW-Authenticate", "X-Request-Id"]
_REMEMBERED_SECONDS = 600


class SecurityHeaders:
    """Adds `SECURITY`, and where the service has keys keeps what they open out of caches."""

    def __init__(self, app: ASGIApp, *, has_keys: bool) -> None:
        self._app = app
        self._added = SECURITY | ({b"cache-control": b"no-store"} if has_keys else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and add to its answer what it lacks."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = message.get("headers", ())
                names = {name.lower() for name, _ in own}
                added = [pair for pair in self._added.items() if pair[0] not in names]
                message = {**message, "headers": [*own, *added]}
            await send(message)

        await self._app(scope, receive, secured)


def cross_origin(settings: Settings) -> list[Middleware]:
    """CORS for the origins in the settings, by default none.

    Cookies are not used, so that a browser adds nothing by itself that would let a page in.
    """
    if not settings.cors_origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=_SENT,
            expose_headers=_READ,
            max_age=_REMEMBERED_SECONDS,
        )
    ]
