"""Bytes that are held for requests are counted, wherever they came from, and given back."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import Request
from starlette.types import Message

from lookalike_service.api.reception import Bodies, Body
from lookalike_service.api.sources import load
from lookalike_service.errors import BodyTooLarge, Overloaded
from lookalike_service.schemas.embedding import EmbedImage
from lookalike_service.settings import Settings
from lookalike_service.telemetry.metrics import Metrics


def bodies(**settings: int) -> Bodies:
    return Bodies(Settings(**({"max_bodies_bytes": 100} | settings)), Metrics())  # type: ignore[arg-type] # numbers


def body(all_of_them: Bodies, *pieces: bytes) -> Body:
    left = list(pieces)

    async def receive() -> Message:
        piece = left.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(left)}

    return Body(all_of_them, receive, {b"content-type": b"image/jpeg"})


async def test_what_is_received_and_what_is_fetched_share_the_memory_for_bodies() -> None:
    held = bodies()
    first, second = body(held, b"x" * 60), body(held, b"y" * 30)
    await first()
    first.keep(20)
    with pytest.raises(Overloaded):
        await second()
    first.free()
    assert held.held == 0
    second.keep(90)
    second.free()
    second.free()
    assert held.held == 0


async def test_a_body_that_is_alone_may_come_as_far_as_one_may() -> None:
    held = bodies(max_body_bytes=300)
    alone = body(held, b"x" * 200, b"x" * 100, b"x")
    await alone()
    await alone()
    with pytest.raises(BodyTooLarge):
        await alone()
    alone.free()
    assert held.held == 0


async def test_pictures_that_were_fetched_count_towards_their_request() -> None:
    held = bodies()
    other, own = body(held), body(held)
    other.keep(60)

    class Fetcher:
        async def fetch_all(self, urls: list[str]) -> list[bytes]:
            return [b"p" * 50 for _ in urls]

    state: Any = SimpleNamespace(fetcher=Fetcher())
    scope = {"type": "http", "app": SimpleNamespace(state=state), "lookalike.body": own}
    images = [EmbedImage(url="https://a.example/1.jpg")]
    with pytest.raises(Overloaded):
        await load(Request(scope), images)
    other.free()
    assert await load(Request(scope), images) == [b"p" * 50]
    assert held.held == 50
