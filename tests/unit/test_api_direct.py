"""Routes that are called without FastAPI get what FastAPI would give them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Request, Response
from fastapi.testclient import TestClient

from lookalike_service.api import embed, images, search, search_batch
from lookalike_service.api.direct import direct
from lookalike_service.api.security import guarded_router, public
from lookalike_service.errors import Forbidden


async def of_path(id: str) -> str:
    return id.upper()


async def of_request(request: Request) -> str:
    return request.query_params["q"]


async def simple(
    request: Request,
    id: str,
    upper: Annotated[str, Depends(of_path)],
    q: Annotated[str, Depends(of_request)],
) -> Response:
    return Response(f"{request.method} {id} {upper} {q}")


def plain(request: Request) -> Response:
    raise NotImplementedError


async def of_model(request: Request) -> dict[str, str]:
    raise NotImplementedError


async def of_query(q: str) -> Response:
    raise NotImplementedError


async def of_number(id: int) -> Response:
    raise NotImplementedError


async def of_thread(q: Annotated[Response, Depends(plain)]) -> Response:
    raise NotImplementedError


def test_a_direct_call_is_given_what_fastapi_gives() -> None:
    app = FastAPI()
    app.get("/fastapi/{id}")(simple)
    call = direct(simple, {"id"})
    assert call is not None

    async def called(request: Request) -> Response:
        answer: Response = await call(request)
        return answer

    app.add_route("/direct/{id}", called)
    http = TestClient(app)
    answers = [http.get(f"/{way}/a?q=x").text for way in ("fastapi", "direct")]
    assert answers == ["GET a A x"] * 2


@pytest.mark.parametrize("endpoint", [plain, of_model, of_query, of_number, of_thread])
def test_whatever_needs_reading_or_converting_is_left_to_fastapi(
    endpoint: Callable[..., Any],
) -> None:
    assert direct(endpoint, {"id"}) is None


def test_a_guard_that_a_route_is_given_is_not_passed_by() -> None:
    async def refuses() -> None:
        raise Forbidden("by a guard")

    router = guarded_router()

    @router.get("/x", dependencies=[Depends(refuses)])
    @public
    async def endpoint() -> Response:
        return Response()

    app = FastAPI()
    app.router.routes.extend(router.routes)
    with pytest.raises(Forbidden):
        TestClient(app).get("/x")


@pytest.mark.parametrize(
    "endpoint", [embed.embed, search.search, search_batch.search_batch, images.index]
)
def test_the_routes_that_are_called_most_are_called_directly(endpoint: Callable[..., Any]) -> None:
    assert direct(endpoint, {"collection"}) is not None
