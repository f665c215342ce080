"""Who may make which call: every route declares the role it takes, with `@needs` below `@router.post(...)`.

Its body is read only after that.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from lookalike_service.access.caller import Caller, anybody
from lookalike_service.access.exposure import is_loopback
from lookalike_service.access.keyring import Keyring
from lookalike_service.access.keys import Role
from lookalike_service.access.rates import Rate
from lookalike_service.api.direct import direct
from lookalike_service.api.problems import documented
from lookalike_service.api.request_headers import headers_of
from lookalike_service.errors import Forbidden, RateLimited, Unauthorized
from lookalike_service.settings import Settings

SCHEMES: dict[str, dict[str, str]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key of the service."},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
"""OpenAPI's security schemes; either will do."""
_CHALLENGE = 'Bearer realm="lookalike"'
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])
Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def needs(role: Role) -> Callable[[Endpoint], Endpoint]:
    """Declare the role that a route takes."""
    return _declared(role)


def public(endpoint: Endpoint) -> Endpoint:
    """Declare that a route takes no key."""
    return _declared(None)(endpoint)


def _declared(role: Role | None) -> Callable[[Endpoint], Endpoint]:
    def mark(endpoint: Endpoint) -> Endpoint:
        endpoint.__dict__["needs"] = role
        return endpoint

    return mark


class GuardedRoute(APIRoute):
    """A route with a declared role: it lets a caller pass before it looks at the body."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        if "needs" not in vars(endpoint):
            raise TypeError(f"{endpoint.__qualname__} declares neither needs(role) nor public")
        self.needs: Role | None = vars(endpoint)["needs"]
        if self.needs is None:
            security: list[dict[str, list[str]]] = []
        else:
            security = [{scheme: [self.needs]} for scheme in SCHEMES]
            options["responses"] = documented(
                Unauthorized, Forbidden, RateLimited, ok=options.get("responses") or {}
            )
        extra = {"security": security} | (options.get("openapi_extra") or {})
        super().__init__(path, endpoint, **options | {"openapi_extra": extra})
        call = direct(endpoint, self.param_convertors)
        if call is not None and not self.dependencies:
            self.app = _answering(self._guarded(call))

    def get_route_handler(self) -> Handler:
        """FastAPI's handler, behind the gate."""
        return self._guarded(super().get_route_handler())

    def _guarded(self, handle: Handler) -> Handler:
        needed = self.needs
        if needed is None:
            return handle

        async def guarded(request: Request) -> Response:
            gate: Gate = request.app.state.gate
            gate.admit(request, needed)
            return await handle(request)

        return guarded


def _answering(handle: Handler) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        response = await handle(Request(scope, receive, send))
        await response(scope, receive, send)

    return app


def guarded_router(**options: Any) -> APIRouter:
    """A router whose routes must declare the role they take; all of the service's are made by this."""
    return APIRouter(route_class=GuardedRoute, **options)


def check_guarded(router: APIRouter) -> None:
    """Return if every route of a router is behind the gate. Raises TypeError."""
    for route in router.routes:
        if not isinstance(route, GuardedRoute):
            raise TypeError(f"{route} is not guarded: make its router with guarded_router()")


class Gate:
    """Lets requests pass or refuses them, by key; without keys, those from this machine.

    Without keys `LOOKALIKE_OPEN` lets those from anywhere pass. Each caller has a rate, of requests and of
    `images`, which count when they are known.
    """

    def __init__(self, keyring: Keyring | None, settings: Settings) -> None:
        self._keyring = keyring
        self._exposed = settings.open
        burst = settings.rate_burst_seconds
        self._requests = Rate("requests", settings.rate_requests, burst)
        self.images = Rate("images", settings.rate_images, burst)

    @property
    def has_keys(self) -> bool:
        """Whether callers need one."""
        return self._keyring is not None

    def identify(self, scope: Mapping[str, Any], headers: Mapping[bytes, bytes]) -> Caller:
        """Who calls. Raises Unauthorized, Forbidden."""
        if self._keyring is not None:
            return _holder(headers, self._keyring)
        self._check_local(scope)
        client = scope.get("client")
        return anybody(client[0] if client else "local")

    def admit(self, request: Request, needed: Role) -> None:
        """Return if the caller may make this call now. Raises Unauthorized, Forbidden, RateLimited."""
        caller: Caller | None = request.state.caller
        if caller is None:
            caller = self.identify(request.scope, headers_of(request.scope))
        caller.check_role(needed)
        if (collection := request.path_params.get("collection")) is not None:
            caller.check_collection(collection)
        self._requests.use(caller.id)

    def _check_local(self, scope: Mapping[str, Any]) -> None:
        """Return if the connection came in on loopback, or on a Unix socket. Raises Forbidden.

        `lookalike serve` listens on nothing else without keys; other servers do as they are told.
        """
        host, port = scope.get("server") or (None, None)
        if self._exposed or port is None or is_loopback(host):
            return
        raise Forbidden(
            "This service has no API keys, so it answers its own machine alone. Give it keys: "
            "`lookalike keys new`, then LOOKALIKE_API_KEYS_FILE; or LOOKALIKE_OPEN=true where something in "
            "front of it authenticates."
        )


def _holder(headers: Mapping[bytes, bytes], keyring: Keyring) -> Caller:
    scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    own = headers.get(b"x-api-key", b"").decode("latin-1")
    key = token.strip() if scheme.lower() == "bearer" else own
    if not key:
        raise Unauthorized(
            "This call needs an API key: send `Authorization: Bearer KEY` or `X-API-Key: KEY`.",
            headers={"WWW-Authenticate": _CHALLENGE},
        )
    try:
        return Caller.of(keyring.find(key))
    except Unauthorized as error:
        challenge = f'{_CHALLENGE}, error="invalid_token"'
        raise Unauthorized(error.detail, headers={"WWW-Authenticate": challenge}) from error
