"""Query strings read directly give what FastAPI makes of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pytest
from fastapi import Depends, FastAPI, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.testclient import TestClient

from lookalike_service.api.queries import parameters, reader


class Asked(BaseModel):
    """Of every kind of field that queries have."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(10, ge=1, le=100, description="How many.")
    kind: Literal["a", "b"] | None = None
    class_: int | None = Field(None, alias="class")
    exact: bool = False
    names: list[str] = []


async def theirs(query: Annotated[Asked, Query()]) -> Any:
    return query.model_dump()


async def ours(query: Annotated[Asked, Depends(reader(Asked))]) -> Any:
    return query.model_dump()


@pytest.fixture(scope="module")
def client() -> TestClient:
    app = FastAPI()
    app.get("/theirs")(theirs)
    app.get("/ours", openapi_extra={"parameters": parameters(Asked)})(ours)
    return TestClient(app)


@pytest.mark.parametrize(
    "query",
    ["", "limit=3", "limit=3&limit=4", "kind=b&class=7&exact=true", "names=x&names=y", "names=x"],
)
def test_what_is_given_is_read_alike(client: TestClient, query: str) -> None:
    expected = client.get(f"/theirs?{query}")
    assert expected.status_code == 200
    assert client.get(f"/ours?{query}").json() == expected.json()


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "kind=c", "unknown=1", "class_=1", "limit="]
)
def test_what_is_refused_is_refused_alike(client: TestClient, query: str) -> None:
    from lookalike_service.errors import InvalidField

    assert client.get(f"/theirs?{query}").status_code == 422
    with pytest.raises(InvalidField, match=query.partition("=")[0]):
        client.get(f"/ours?{query}")


def test_the_document_says_the_same(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert paths["/ours"]["get"]["parameters"] == paths["/theirs"]["get"]["parameters"]
