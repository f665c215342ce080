"""JSON values into the records of `results`."""

from __future__ import annotations

import types
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from lookalike.errors import UnexpectedAnswer

T = TypeVar("T")


def decode(cls: type[T], data: Any) -> T:
    """A record from its JSON object. Fields that a newer service added are left out.

    Raises UnexpectedAnswer if it is no object or a field is missing.
    """
    if not isinstance(data, dict):
        raise UnexpectedAnswer(f"{cls.__name__}: expected a JSON object, got {data!r:.80}.")
    values = {}
    for name, hint, required in _fields(cls):  # type: ignore[arg-type]  # a class is hashable
        if name in data:
            values[name] = _value(hint, data[name])
        elif required:
            raise UnexpectedAnswer(f"{cls.__name__}: the answer has no field '{name}'.")
    return cls(**values)


@cache
def _fields(cls: type[Any]) -> list[tuple[str, Any, bool]]:
    hints = get_type_hints(cls)
    return [
        (f.name, hints[f.name], f.default is MISSING and f.default_factory is MISSING)
        for f in fields(cls)
    ]


def _value(hint: Any, data: Any) -> Any:
    """Decode records wherever the hint has them; the rest is taken as JSON gives it."""
    if data is None:
        return None
    origin, args = get_origin(hint), get_args(hint)
    if origin in {Union, types.UnionType}:
        return _value(next(arg for arg in args if arg is not types.NoneType), data)
    if origin is list and is_dataclass(args[0]) and isinstance(data, list):
        return [decode(cast("type[Any]", args[0]), item) for item in data]
    if is_dataclass(hint):
        return decode(cast("type[Any]", hint), data)
    return data
