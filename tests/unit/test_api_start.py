"""A service that cannot start says why, in a line that needs no reading of code."""

from __future__ import annotations

import contextlib

import pytest
from starlette.types import Message

from lookalike_service.api.application import create_app
from lookalike_service.api.context import Context
from lookalike_service.errors import StoreLocked
from lookalike_service.settings import Settings
from lookalike_service.telemetry.metrics import Metrics


class Failing(contextlib.AbstractAsyncContextManager[Context]):
    """Cannot be opened."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def __aenter__(self) -> Context:
        raise self.error

    async def __aexit__(self, *raised: object) -> None:
        """Was never entered."""


async def start(error: Exception) -> str:
    """What the server is told when the start fails with this."""

    async def receive() -> Message:
        return {"type": "lifespan.startup"}

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    app = create_app(lambda _: Failing(error), Settings(), Metrics())
    with pytest.raises(type(error)):
        await app({"type": "lifespan", "state": {}}, receive, send)
    (message,) = sent
    assert message["type"] == "lifespan.startup.failed"
    told: str = message["message"]
    return told


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            StoreLocked("the store in x is in use by process 7"),
            "the store in x is in use by process 7",
        ),
        (PermissionError(13, "Permission denied", "/x"), "[Errno 13] Permission denied: '/x'"),
    ],
)
async def test_what_is_known_to_go_wrong_at_a_start_is_told_without_a_traceback(
    error: Exception, reason: str
) -> None:
    assert await start(error) == f"the service cannot start: {reason}"


async def test_what_is_not_known_to_go_wrong_is_told_with_its_traceback() -> None:
    told = await start(RuntimeError("odd"))
    assert told.startswith("Traceback")
    assert "RuntimeError: odd" in told
