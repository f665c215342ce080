"""Refusing what there is no room for when its headers have come, before anything is made for the request.

`Entrance` refuses the same in the same words, but by then there is a task for the request, and its body was
kept: twice the work. While ten times more comes than can be done, that work is taken from the model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from lookalike_service.api.admission import Admission
from lookalike_service.api.headers import every_answer
from lookalike_service.api.problems import counted, problem_response
from lookalike_service.api.request_headers import REQUEST_ID, headers_of, id_of
from lookalike_service.errors import LookalikeError, Overloaded
from lookalike_service.settings import Settings
from lookalike_service.telemetry.metrics import Metrics

Headers = Sequence[tuple[bytes, bytes]]


class Shedding:
    """Knows which requests would be refused, and what they are answered."""

    def __init__(
        self, app: FastAPI, admission: Admission, settings: Settings, metrics: Metrics
    ) -> None:
        self._app, self._admission, self._metrics = app, admission, metrics
        self._added = list(every_answer(has_keys=admission.has_keys).items())
        self._has_pages = bool(settings.cors_origins)

    def answer(self, scope: Mapping[str, Any], own: Headers) -> bytes | None:
        """A whole HTTP/1.1 answer, with these headers too, to a request that has no turn; else None.

        Of the scope it needs method, path, headers, client and server.
        """
        if scope["method"] != "POST":
            return None
        headers = headers_of(scope)
        if self._is_seen_to_later(headers):
            return None
        try:
            self._admission.check(self._app, scope, headers)
        except Overloaded as error:
            return self._refusal(error, own, id_of(headers))
        except LookalikeError:  # about which `Entrance` says more
            return None
        return None

    def _is_seen_to_later(self, headers: Mapping[bytes, bytes]) -> bool:
        """Whether CORS adds to the answer, or the one who is connected is not the caller."""
        from_page = self._has_pages and b"origin" in headers
        return from_page or (not self._admission.has_keys and b"x-forwarded-for" in headers)

    def _refusal(self, error: Overloaded, own: Headers, request_id: str) -> bytes:
        counted(self._metrics, error)
        self._metrics.request("POST", "unmatched", error.status, None)
        response = problem_response(error)
        headers = [
            *own,
            *response.raw_headers,
            *self._added,
            (REQUEST_ID, request_id.encode()),
        ]
        status = f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}\r\n".encode()
        lines = (b"%b: %b\r\n" % pair for pair in headers)
        return b"".join([status, *lines, b"\r\n", response.body])
