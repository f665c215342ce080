"""A request as data, and how its answer is read: what the two clients share."""

from __future__ import annotations

import json as jsonlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from lookalike.decoding import decode
from lookalike.errors import (
    EncoderFailed,
    ImageError,
    LookalikeError,
    UnexpectedAnswer,
    error_for,
)
from lookalike.images import ImageFile
from lookalike.results import ItemError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response, read to its end; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    request: str
    """Method and URL, for messages."""
    saved: Path | None = None
    """The file that holds the body instead."""

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait, where the service says so; the header's other form, a date, is not read."""
        try:
            return float(self.headers.get("retry-after", ""))
        except ValueError:
            return None

    def json(self) -> Any:
        """The body as JSON. Raises UnexpectedAnswer."""
        try:
            return jsonlib.loads(self.body)
        except ValueError as error:
            raise UnexpectedAnswer(
                f"{self.request} answered {self.status} with what is not JSON."
            ) from error


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A request, and `parse`, which reads a successful answer."""

    method: str
    path: str
    parse: Callable[[Answer], T]
    query: Mapping[str, Any] = field(default_factory=dict)
    json: Any = None
    files: Sequence[tuple[str, ImageFile]] = ()
    form: Mapping[str, str] = field(default_factory=dict)
    accept: str = "application/json"
    into: Path | None = None
    """The file that a successful answer's body goes into, as it comes; then the answer has none."""
    repeat: Literal["always", "unless_received", "never"] = "always"
    """Whether to try again: `unless_received` not once the service may have begun the work."""
    only_failed: Callable[[ItemError], T] | None = None
    """The result when the only image of the request failed, which the service answers as an error."""

    def result(self, answer: Answer) -> T:
        """What the answer says. Raises the error it holds."""
        if 200 <= answer.status < 300:
            return self.parse(answer)
        error = read_error(answer)
        if self.only_failed and len(self.files) == 1 and _is_of_image(error):
            return self.only_failed(ItemError(error.code, error.detail))
        raise error


def read_error(answer: Answer) -> LookalikeError:
    """The error of a problem document; the base class with code `http_<status>` for any other body."""
    index = None
    try:
        problem = jsonlib.loads(answer.body)
        code, detail, index = str(problem["code"]), str(problem["detail"]), problem.get("index")
    except (ValueError, KeyError, TypeError):
        code = f"http_{answer.status}"
        said = answer.body[:200].decode(errors="replace").strip()
        detail = (
            f"{answer.request} answered {answer.status} without a problem document, which "
            f"Lookalike would send; is another server at this URL? It said: {said!r}"
        )
    return error_for(
        code, detail, status=answer.status, index=index, retry_after=answer.retry_after
    )


def _is_of_image(error: LookalikeError) -> bool:
    return isinstance(error, (ImageError, EncoderFailed))


# -- parsers


def record(cls: type[T]) -> Callable[[Answer], T]:
    """Read the body as one record."""
    return lambda answer: decode(cls, answer.json())


def records(cls: type[T], name: str) -> Callable[[Answer], list[T]]:
    """Read the list that the body holds under `name`."""

    def parse(answer: Answer) -> list[T]:
        data = answer.json()
        if not isinstance(data, dict) or not isinstance(data.get(name), list):
            raise UnexpectedAnswer(f"{answer.request}: the answer has no list '{name}'.")
        return [decode(cls, item) for item in data[name]]

    return parse


def content(answer: Answer) -> bytes:
    """The body as it is."""
    return answer.body


def saved(answer: Answer) -> Path:
    """The file that the body went into."""
    if answer.saved is None:
        raise UnexpectedAnswer(f"{answer.request} answered {answer.status} without a file.")
    return answer.saved


def nothing(answer: Answer) -> None:  # noqa: ARG001 - the shape of a parser
    """No result but success."""
    return
