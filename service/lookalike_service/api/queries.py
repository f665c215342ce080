"""Query strings as models, read without FastAPI where a route is called often.

FastAPI looks at every field of such a model in every request, which for sixteen of them takes as long as all
the rest of an embedding with a small network. The document says what FastAPI would say of them.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypeVar, get_origin

from fastapi import FastAPI, Query, Request
from pydantic import BaseModel, ValidationError

from lookalike_service.api.problems import from_validation

Model = TypeVar("Model", bound=BaseModel)


def reader(model: type[Model]) -> Callable[[Request], Coroutine[Any, Any, Model]]:
    """A dependency that reads the query string as this model; it raises InvalidField and MissingPart.

    Of a field that is given twice the last counts, as FastAPI has it; of a list all.
    """
    lists = {
        field.alias or name
        for name, field in model.model_fields.items()
        if get_origin(field.annotation) in {list, tuple, set}
    }

    async def read(request: Request) -> Model:
        values: dict[str, Any] = {}
        # Most have none, and reading it takes longer than the rest.
        if request.scope["query_string"]:
            given = request.query_params
            values = {n: given.getlist(n) if n in lists else given[n] for n in given}
        try:
            return model.model_validate(values)
        except ValidationError as error:
            raise from_validation(error.errors()) from error

    return read


def parameters(model: type[BaseModel]) -> list[dict[str, Any]]:
    """The parameters of a query string in OpenAPI, as FastAPI writes them."""
    app = FastAPI()

    async def probe(query: Any) -> None: ...

    probe.__annotations__["query"] = Annotated[model, Query()]
    app.get("/")(probe)
    written: list[dict[str, Any]] = app.openapi()["paths"]["/"]["get"]["parameters"]
    return written
