"""Calling a route's function without FastAPI, where what it takes is simple.

FastAPI solves the dependencies of a route anew in each request, inside of scopes for what they may have to
close, which takes longer than the rest of embedding a small image. It describes these routes all the same.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Coroutine
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from fastapi import Request, Response
from fastapi.params import Depends

Call = Callable[[Request], Coroutine[Any, Any, Any]]


def direct(endpoint: Callable[..., Any], in_path: Collection[str]) -> Call | None:
    """The endpoint as a function of the request alone; None where only FastAPI can call it.

    It can be called directly if it is a coroutine, answers with a Response and takes nothing but the request,
    strings `in_path`, and dependencies of which the same holds.
    """
    if get_type_hints(endpoint).get("return") is not Response:
        return None
    return _call(endpoint, in_path)


def _call(function: Callable[..., Any], in_path: Collection[str]) -> Call | None:
    if not inspect.iscoroutinefunction(function):
        return None
    hints = get_type_hints(function, include_extras=True)
    requests, names, dependencies = [], [], list[tuple[str, Call]]()
    for name in inspect.signature(function).parameters:
        if hints[name] is Request:
            requests.append(name)
        elif hints[name] is str and name in in_path:
            names.append(name)
        elif (call := _dependency(hints[name], in_path)) is not None:
            dependencies.append((name, call))
        else:
            return None

    async def called(request: Request) -> Any:
        values: dict[str, Any] = dict.fromkeys(requests, request)
        for name in names:
            values[name] = request.path_params[name]
        for name, call in dependencies:
            values[name] = await call(request)
        return await function(**values)

    return called


def _dependency(hint: Any, in_path: Collection[str]) -> Call | None:
    if get_origin(hint) is not Annotated:
        return None
    _, *notes = get_args(hint)
    if len(notes) != 1 or not isinstance(notes[0], Depends) or notes[0].dependency is None:
        return None
    return _call(notes[0].dependency, in_path)
