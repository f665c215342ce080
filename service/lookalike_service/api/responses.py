"""Answers: JSON through orjson, and the choice of media type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
from fastapi import Request, Response
from pydantic import BaseModel

from lookalike_service.errors import NotAcceptable


def json_response(body: BaseModel | dict[str, Any], status: int = 200) -> Response:
    """A JSON answer; numpy arrays in a dict are written as lists."""
    if isinstance(body, BaseModel):
        return Response(body.model_dump_json(), status, media_type="application/json")
    return Response(
        orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY), status, media_type="application/json"
    )


def choose(request: Request, offers: Sequence[str]) -> str:
    """The offered media type that the request accepts; the first for `*/*` or no Accept header.

    Raises NotAcceptable naming the offers.
    """
    accepted = request.headers.get("accept", "*/*")
    if accepted == "*/*":
        return offers[0]
    for entry in _by_preference(accepted):
        for offer in offers:
            if entry in {"*/*", offer} or (
                entry.endswith("/*") and offer.startswith(entry.removesuffix("*"))
            ):
                return offer
    raise NotAcceptable(f"Accept '{accepted}' cannot be met; offered: {', '.join(offers)}.")


def _by_preference(accept: str) -> list[str]:
    entries = []
    for entry in accept.split(","):
        kind, _, parameters = entry.strip().partition(";")
        quality = parameters.partition("q=")[2].strip() if "q=" in parameters else "1"
        try:
            weight = float(quality)
        except ValueError:
            weight = 1.0
        if weight > 0:
            entries.append((-weight, kind.strip().lower()))
    return [kind for _, kind in sorted(entries, key=lambda pair: pair[0])]
