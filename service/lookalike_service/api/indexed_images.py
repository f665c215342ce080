"""The images of a request to index: as one body, a form, or JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import Request
from pydantic import TypeAdapter, ValidationError

from lookalike_service.api.bodies import (
    Form,
    Upload,
    charge,
    is_raw_image,
    media_type,
    read_form,
    read_json,
    read_raw_image,
    required,
)
from lookalike_service.api.context import Context
from lookalike_service.api.problems import parse_json
from lookalike_service.api.sources import load
from lookalike_service.errors import (
    InvalidField,
    LookalikeError,
    TooManyImages,
    UnsupportedMediaType,
)
from lookalike_service.schemas.base import ImageId
from lookalike_service.schemas.collections import IndexRequest
from lookalike_service.schemas.metadata import Metadata
from lookalike_service.workflows.ingest import NewImage


async def read_new_images(
    request: Request, context: Context
) -> Sequence[NewImage | LookalikeError]:
    """What is sent to be indexed, with what to keep of it; one whose URL cannot be fetched is its error.

    Raises what the readers in `bodies` raise.
    """
    kind = media_type(request)
    if kind == "application/json":
        return await _sent_as_json(request, context)
    if is_raw_image(kind):
        return [NewImage((await read_raw_image(request)).data)]
    if kind != "multipart/form-data":
        raise UnsupportedMediaType(
            f"Content-Type '{kind}' is not read here; send multipart/form-data with 'images' parts, "
            "one image as the body, or JSON."
        )
    form = await read_form(
        request, context.settings, files=["images"], fields=["ids", "metadata", "sources"]
    )
    return _described(form, required(form, "images"))


async def _sent_as_json(request: Request, context: Context) -> list[NewImage | LookalikeError]:
    body = await read_json(request, IndexRequest)
    if len(body.images) > context.settings.max_images:
        raise TooManyImages(f"At most {context.settings.max_images} images in one request.")
    charge(request, len(body.images))
    return [
        data
        if isinstance(data, LookalikeError)
        else NewImage(data, image.id, image.metadata, image.source or image.url)
        for image, data in zip(body.images, await load(request, body.images), strict=True)
    ]


def _described(form: Form, uploads: list[Upload]) -> list[NewImage]:
    ids = _per_image(form, "ids", list[ImageId], len(uploads))
    metadata = _per_image(form, "metadata", list[Metadata], len(uploads))
    sources = _per_image(form, "sources", list[str | None], len(uploads))
    return [
        NewImage(
            upload.data,
            id=ids[i] if ids else None,
            metadata=metadata[i] if metadata else None,
            source=sources[i] if sources else upload.filename,
        )
        for i, upload in enumerate(uploads)
    ]


def _per_image(form: Form, name: str, shape: Any, count: int) -> list[Any] | None:
    if name not in form.fields:
        return None
    try:
        values: list[Any] = TypeAdapter(shape).validate_python(
            parse_json(name, form.fields[name]), strict=True
        )
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise InvalidField(f"'{name}' item {place or '-'}: {first['msg']}.") from error
    if len(values) != count:
        raise InvalidField(f"'{name}' has {len(values)} items for {count} images; send one each.")
    return values
