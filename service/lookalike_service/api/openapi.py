"""The OpenAPI document: FastAPI's, completed with what it does not see."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from lookalike_service.api.admission import LONGEST_DEADLINE
from lookalike_service.api.problems import documented
from lookalike_service.api.security import SCHEMES
from lookalike_service.errors import (
    BodyTooLarge,
    Internal,
    InvalidField,
    InvalidRequest,
    MissingPart,
    Overloaded,
    UploadTooSlow,
)
from lookalike_service.schemas.collections import IndexRequest
from lookalike_service.schemas.embedding import EmbedRequest
from lookalike_service.schemas.search import SearchBatchRequest, SearchRequest

PROBLEM = "application/problem+json"
_ANY_CALL = (InvalidField, Internal)
_ANY_BODY = (InvalidRequest, MissingPart, BodyTooLarge, UploadTooSlow, Overloaded)
_READ_BY_HAND = (EmbedRequest, IndexRequest, SearchRequest, SearchBatchRequest)
"""Bodies with several media types are read by hand, so FastAPI does not know their schemas."""

_TURN: list[dict[str, Any]] = [
    {
        "name": "X-Priority",
        "in": "header",
        "required": False,
        "schema": {"type": "string", "enum": ["interactive", "bulk"]},
        "description": "Whether somebody waits for these images, or they only have to get done.",
    },
    {
        "name": "X-Deadline-Seconds",
        "in": "header",
        "required": False,
        "schema": {"type": "number", "exclusiveMinimum": 0, "maximum": LONGEST_DEADLINE},
        "description": "For how long the answer is of use: an image whose turn does not come in time is "
        "dropped, and answered with 429.",
    },
]
"""What a request may say of the turns of the images that it brings."""

DESCRIPTION = """\
Image embeddings, Grad-CAM maps, nearest neighbours, clusters and 2-D maps.

Errors are problem documents (RFC 9457) with a stable `code`. In a batch, an item that fails carries its
error and the others are served.
"""


def install(app: FastAPI) -> None:
    """Serve the completed document at /openapi.json."""

    def document() -> dict[str, Any]:
        if not app.openapi_schema:
            app.openapi_schema = _complete(
                get_openapi(
                    title=app.title,
                    version=app.version,
                    description=DESCRIPTION,
                    routes=app.routes,
                    license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
                )
            )
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign] # FastAPI's documented way to extend it


def _complete(document: dict[str, Any]) -> dict[str, Any]:
    schemas = document["components"]["schemas"]
    for model in _READ_BY_HAND:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= schema.pop("$defs", {})
        schemas[model.__name__] = schema
    for path in document["paths"].values():
        for operation in path.values():
            _replace_validation_error(operation["responses"])
            if "multipart/form-data" in operation.get("requestBody", {}).get("content", {}):
                operation["parameters"] = [*operation.get("parameters", []), *_TURN]
            _add_common_errors(operation)
            _describe_problems(operation["responses"])
    document["components"]["securitySchemes"] = SCHEMES
    # FastAPI's own shape of validation errors, which no call here answers with.
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    return document


def _replace_validation_error(responses: dict[str, Any]) -> None:
    content = responses.get("422", {}).get("content", {})
    if "HTTPValidationError" in str(content.get("application/json", "")):
        del responses["422"]


def _add_common_errors(operation: dict[str, Any]) -> None:
    """What is answered before a route is reached, or in its stead."""
    errors = _ANY_CALL + (_ANY_BODY if "requestBody" in operation else ())
    for status, added in documented(*errors).items():
        there = operation["responses"].setdefault(
            str(status), {"description": added["description"], "content": {PROBLEM: {}}}
        )
        known = there["content"][PROBLEM].get("examples", {})
        there["content"][PROBLEM] = {"examples": known | added["content"][PROBLEM]["examples"]}


def _describe_problems(responses: dict[str, Any]) -> None:
    """FastAPI takes the model of an error for `application/json`, which no error is answered as."""
    for status, response in responses.items():
        if int(status) >= 400:
            schema = {"$ref": "#/components/schemas/Problem"}
            response["content"] = {PROBLEM: {"schema": schema} | response["content"][PROBLEM]}
