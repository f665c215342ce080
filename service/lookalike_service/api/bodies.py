"""Reading images from a request: multipart parts, one raw body, or base64 in JSON."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from lookalike_service.api.problems import from_validation
from lookalike_service.api.security import Gate
from lookalike_service.errors import (
    InvalidField,
    InvalidRequest,
    MissingPart,
    TooManyImages,
    UnsupportedMediaType,
)
from lookalike_service.settings import Settings
from lookalike_service.telemetry.metrics import Metrics

_MAX_FIELD_BYTES = 16 * 2**20
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Upload:
    """One image as sent: its bytes, and its file name where there is one."""

    data: bytes
    filename: str | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """A multipart request: image parts by name, and text fields."""

    files: dict[str, list[Upload]] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)


def media_type(request: Request) -> str:
    """The body's media type without its parameters, lower case."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def is_raw_image(kind: str) -> bool:
    """Whether a body of this media type is one image."""
    return kind.startswith("image/") or kind == "application/octet-stream"


async def read_form(
    request: Request, settings: Settings, *, files: Sequence[str], fields: Sequence[str] = ()
) -> Form:
    """Read multipart/form-data with these file parts and text fields, and no others.

    Raises InvalidField for a part that is not allowed or of the wrong kind, TooManyImages, InvalidRequest,
    RateLimited.
    """
    async with _parsed(request, settings) as parsed:
        form = Form()
        for name, value in parsed.multi_items():
            if isinstance(value, UploadFile) and name in files:
                upload = Upload(await value.read(), value.filename)
                form.files.setdefault(name, []).append(upload)
            elif isinstance(value, str) and name in fields:
                form.fields[name] = value
            elif name in files:
                raise InvalidField(f"Part '{name}' must be a file, with a filename; it is text.")
            elif name in fields:
                raise InvalidField(f"Part '{name}' must be text, without a filename; it is a file.")
            else:
                allowed = ", ".join([*files, *fields])
                raise InvalidField(f"Part '{name}' is unknown here; allowed: {allowed}.")
    charge(request, sum(map(len, form.files.values())))
    return form


class _parsed:  # noqa: N801 - a context manager, used like a function
    """Parse the form within limits, and close its temporary files afterwards."""

    def __init__(self, request: Request, settings: Settings) -> None:
        self._request, self._max_images = request, settings.max_images

    async def __aenter__(self) -> FormData:
        try:
            with _reading(self._request):
                self._form = await self._request.form(
                    max_files=self._max_images, max_fields=16, max_part_size=_MAX_FIELD_BYTES
                )
        except HTTPException as error:
            if "Too many files" in str(error.detail):
                raise TooManyImages(
                    f"At most {self._max_images} images in one request; send them in several."
                ) from error
            raise InvalidRequest(f"The multipart body cannot be read: {error.detail}") from error
        return self._form

    async def __aexit__(self, *_: object) -> None:
        await self._form.close()


async def read_body(request: Request) -> bytes:
    """The whole body; its time is the stage `read`."""
    with _reading(request):
        return await request.body()


async def read_raw_image(request: Request) -> Upload:
    """The image that the body is. Raises RateLimited."""
    charge(request, 1)
    return Upload(await read_body(request))


def charge(request: Request, count: int) -> None:
    """Count so many images and texts to the caller's rate. Raises RateLimited."""
    gate: Gate = request.app.state.gate
    gate.images.use(request.state.caller.id, count)


def _reading(request: Request) -> AbstractContextManager[object]:
    metrics: Metrics = request.app.state.metrics
    return metrics.stage("read")


async def read_images(request: Request, settings: Settings, part: str = "images") -> list[Upload]:
    """The images of a multipart or raw request, at least one.

    Raises MissingPart, UnsupportedMediaType, and what `read_form` raises.
    """
    kind = media_type(request)
    if is_raw_image(kind):
        return [await read_raw_image(request)]
    if kind == "multipart/form-data":
        form = await read_form(request, settings, files=[part])
        return required(form, part)
    raise UnsupportedMediaType(
        f"Content-Type '{kind}' is not read here; send multipart/form-data with '{part}' parts, "
        "or one image as the body with an image/* type."
    )


def required(form: Form, part: str) -> list[Upload]:
    """The uploads of a part. Raises MissingPart if there are none."""
    if part not in form.files:
        raise MissingPart(
            f"Part '{part}' is missing: send at least one image file under this name."
        )
    return form.files[part]


async def read_json(request: Request, model: type[Model]) -> Model:
    """The JSON body as this model. Raises InvalidRequest, InvalidField, MissingPart."""
    try:
        return model.model_validate_json(await read_body(request))
    except ValidationError as error:
        raise from_validation(error.errors()) from error


def decode_base64(text: str, index: int) -> bytes:
    """An image given as base64, or as a data: URL. Raises InvalidField naming the item."""
    data = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidField(f"Image {index} is not valid base64: {error}.", index=index) from error


def multipart_schema(
    files: dict[str, str],
    fields: dict[str, str] | None = None,
    *,
    many: bool,
    needed: Sequence[str],
) -> dict[str, Any]:
    """OpenAPI content of a multipart body: part names with their descriptions."""
    binary: dict[str, Any] = {"type": "string", "format": "binary"}
    shape: dict[str, Any] = {"type": "array", "items": binary, "minItems": 1} if many else binary
    properties = {name: {**shape, "description": text} for name, text in files.items()}
    texts = {name: {"type": "string", "description": text} for name, text in (fields or {}).items()}
    return {
        "multipart/form-data": {
            "schema": {"type": "object", "properties": properties | texts, "required": list(needed)}
        }
    }


def raw_image_schema() -> dict[str, Any]:
    """OpenAPI content of a body that is one image."""
    return {"image/*": {"schema": {"type": "string", "format": "binary"}}}


def json_schema(model: type[BaseModel]) -> dict[str, Any]:
    """OpenAPI content of a JSON body."""
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}}}
