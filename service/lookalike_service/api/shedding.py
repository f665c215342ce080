"""Refusing images that have no turn when the headers have come, before anything is made for their request.

`Entrance` refuses the same in the same words, but by then there is a task for the request, and its body was
kept: seven times the work. While ten times more comes than can be done, that work is taken from the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from lookalike_service.api.admission import check_turn, work_of
from lookalike_service.api.headers import every_answer
from lookalike_service.api.problems import counted, problem_response
from lookalike_service.api.request_ids import REQUEST_ID, id_of
from lookalike_service.api.security import Gate
from lookalike_service.errors import LookalikeError, Overloaded
from lookalike_service.telemetry.metrics import Metrics

Headers = Sequence[tuple[bytes, bytes]]


class Shedding:
    """Knows which requests would be refused, and what they are answered."""

    def __init__(self, app: FastAPI, gate: Gate, metrics: Metrics) -> None:
        self._app, self._gate, self._metrics = app, gate, metrics
        self._added = list(every_answer(has_keys=gate.has_keys).items())

    def answer(self, scope: Mapping[str, Any], own: Headers) -> bytes | None:
        """A whole HTTP/1.1 answer, with these headers too, to a request that has no turn; else None.

        Of the scope it needs method, path, headers, client and server.
        """
        if scope["method"] != "POST":
            return None
        headers = dict(scope["headers"])
        try:
            caller = self._gate.identify(scope, headers)
            check_turn(self._app, scope, headers, work_of(scope, headers, caller, None))
        except Overloaded as error:
            return self._refusal(error, own, id_of(headers))
        except LookalikeError:  # about which the route says more
            return None
        return None

    def _refusal(self, error: Overloaded, own: Headers, request_id: str) -> bytes:
        counted(self._metrics, error)
        self._metrics.request("POST", "unmatched", error.status, 0.0)
        response = problem_response(error)
        headers = [
            *own,
            *response.raw_headers,
            *self._added,
            (REQUEST_ID, request_id.encode()),
        ]
        status = f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\n".encode()
        return b"".join(
            [status, *(b"%b: %b\r\n" % pair for pair in headers), b"\r\n", response.body]
        )
