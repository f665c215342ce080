"""The images of JSON requests: in base64, or at URLs that the service fetches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from fastapi import Request

from lookalike_service.api.bodies import decode_base64
from lookalike_service.api.reception import Body
from lookalike_service.errors import LookalikeError, UrlFailed, UrlRefused
from lookalike_service.fetching.fetcher import Fetcher
from lookalike_service.schemas.embedding import EmbedImage

URL_ERRORS = (UrlRefused, UrlFailed)
Outcome = TypeVar("Outcome")


async def load(request: Request, images: Sequence[EmbedImage]) -> list[bytes | LookalikeError]:
    """The bytes of each image; one whose URL cannot be fetched is its error.

    Raises InvalidField for what is no base64, Overloaded where there is no room for what was fetched.
    """
    loaded: dict[int, bytes | LookalikeError] = {
        i: decode_base64(image.base64, i)
        for i, image in enumerate(images)
        if image.base64 is not None
    }
    urls = {i: image.url for i, image in enumerate(images) if image.url is not None}
    if urls:
        fetcher: Fetcher = request.app.state.fetcher
        fetched = await fetcher.fetch_all(list(urls.values()))
        body: Body = request.scope["lookalike.body"]
        body.keep(sum(len(one) for one in fetched if isinstance(one, bytes)))
        loaded |= zip(urls, fetched, strict=True)
    return [loaded[i] for i in range(len(images))]


def loaded_alone(images: Iterable[bytes | LookalikeError]) -> list[bytes]:
    """Those that were loaded."""
    return [image for image in images if not isinstance(image, LookalikeError)]


def in_place(
    images: Sequence[bytes | LookalikeError], outcomes: Iterable[Outcome]
) -> list[Outcome | LookalikeError]:
    """The outcomes of those that were loaded, among the errors of those that were not."""
    found = iter(outcomes)
    return [image if isinstance(image, LookalikeError) else next(found) for image in images]
