"""The OpenAPI document: FastAPI's, completed with what it does not see."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from lookalike_service.schemas.embedding import EmbedRequest
from lookalike_service.schemas.search import SearchBatchRequest, SearchRequest

_READ_BY_HAND = (EmbedRequest, SearchRequest, SearchBatchRequest)
"""Bodies with several media types are read by hand, so FastAPI does not know their schemas."""

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
    # FastAPI's own shape of validation errors, which no call here answers with.
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    return document


def _replace_validation_error(responses: dict[str, Any]) -> None:
    content = responses.get("422", {}).get("content", {})
    if "HTTPValidationError" in str(content.get("application/json", "")):
        del responses["422"]
