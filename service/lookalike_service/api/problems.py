"""The one place where errors become responses: RFC 9457 problem documents."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from lookalike_service.batching.work import ClientGone
from lookalike_service.errors import (
    InvalidField,
    InvalidRequest,
    LookalikeError,
    MethodNotAllowed,
    MissingPart,
    NotFound,
    Unavailable,
)
from lookalike_service.schemas.problems import ItemError, Problem
from lookalike_service.telemetry.metrics import Metrics

_MOST_COMPLAINTS = 20


def item_error(error: LookalikeError) -> ItemError:
    """The error of one item in a batch."""
    return ItemError(code=error.code, detail=error.detail)


def problem_response(error: LookalikeError) -> Response:
    """The error as `application/problem+json`, with Retry-After where trying again helps."""
    body = Problem(
        type="about:blank",
        title=error.title,
        status=error.status,
        code=error.code,
        detail=error.detail,
        index=error.context.get("index"),
        errors=error.context.get("errors"),
    )
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, Unavailable) else {}
    return Response(
        body.model_dump_json(exclude_none=True),
        error.status,
        headers | error.context.get("headers", {}),
        "application/problem+json",
    )


def documented(
    *errors: type[LookalikeError], ok: Mapping[int, dict[str, Any]] | None = None
) -> dict[int | str, dict[str, Any]]:
    """OpenAPI responses: those in `ok`, and of these errors one per status with an example per code."""
    responses: dict[int | str, dict[str, Any]] = dict((ok or {}).items())
    for error in errors:
        response = responses.setdefault(
            error.status,
            {
                "model": Problem,
                "description": HTTPStatus(error.status).phrase,
                "content": {"application/problem+json": {"examples": {}}},
            },
        )
        response["content"]["application/problem+json"]["examples"][error.code] = {
            "summary": (error.__doc__ or "").splitlines()[0],
            "value": {
                "type": "about:blank",
                "title": error.title,
                "status": error.status,
                "code": error.code,
                "detail": error.__doc__,
            },
        }
    return responses


def install(app: FastAPI) -> None:
    """Answer every exception with a problem document."""

    @app.exception_handler(LookalikeError)
    async def own(request: Request, error: LookalikeError) -> Response:
        return _answer(request.scope, error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return _answer(request.scope, from_validation(error.errors()))

    @app.exception_handler(HTTPException)
    async def routing(request: Request, error: HTTPException) -> Response:
        return _answer(request.scope, _from_http(request, error))

    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, _: ClientDisconnect) -> Response:
        return _answer(
            request.scope, InvalidRequest("The client left before its request was read.")
        )

    @app.exception_handler(ClientGone)
    async def left(request: Request, _: ClientGone) -> Response:
        return _answer(request.scope, InvalidRequest("The client left before its turn came."))


async def refuse(error: LookalikeError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request before it reaches a route."""
    await _answer(scope, error)(scope, receive, send)


def counted(metrics: Metrics, error: LookalikeError) -> None:
    """Count an error that is answered."""
    metrics.errors.labels(error.code).inc()


def _answer(scope: Scope, error: LookalikeError) -> Response:
    counted(scope["app"].state.metrics, error)
    scope["lookalike.error"] = error  # for the log line of the request
    return problem_response(error)


def from_validation(errors: Sequence[Any]) -> LookalikeError:
    """Pydantic's complaints, the first 20 of them, as one InvalidField, MissingPart or InvalidRequest."""
    errors = errors[:_MOST_COMPLAINTS]
    fields = [_field(error) for error in errors]
    if any(error["type"] == "json_invalid" for error in errors):
        return InvalidRequest(f"The body is not valid JSON: {fields[0]['detail']}.")
    described = "; ".join(f"{field['field']}: {field['detail']}" for field in fields)
    kind = MissingPart if all(error["type"] == "missing" for error in errors) else InvalidField
    return kind(f"{described}.", errors=fields)


def _field(error: Mapping[str, Any]) -> dict[str, Any]:
    place = [str(part) for part in error["loc"] if part not in {"body", "query", "path"}]
    detail = str(error["msg"]).removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        detail = "unknown field"
    return {"field": ".".join(place) or "body", "detail": detail}


def _from_http(request: Request, error: HTTPException) -> LookalikeError:
    if isinstance(error.__cause__, LookalikeError):  # raised while FastAPI read the body
        return error.__cause__
    path = request.url.path
    if error.status_code == HTTPStatus.NOT_FOUND:
        close = difflib.get_close_matches(path, request.app.openapi()["paths"], n=1, cutoff=0.5)
        hint = f" Did you mean {close[0]}?" if close else ""
        return NotFound(f"There is nothing at {path}.{hint} /openapi.json lists all calls.")
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "")
        return MethodNotAllowed(
            f"{request.method} is not possible at {path}; allowed: {allowed}.",
            headers={"Allow": allowed},
        )
    return InvalidRequest(str(error.detail))


def parse_json(name: str, text: str) -> Any:
    """JSON held in a form field or query parameter. Raises InvalidField naming it."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidField(f"'{name}' is not valid JSON: {error}.") from error
