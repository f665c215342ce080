"""Write what the TypeScript client is made from: the OpenAPI document and the service's errors.

python clients/typescript/generate.py [--check]
"""

from __future__ import annotations

import json
import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from fastapi import FastAPI

from lookalike_service.api.application import create_app
from lookalike_service.api.context import Context
from lookalike_service.errors import LookalikeError, all_errors
from lookalike_service.settings import Settings
from lookalike_service.telemetry.metrics import Metrics

HERE = Path(__file__).parent
HEADER = """\
// Written by generate.py from the service's errors: do not edit.

import { LookalikeError } from "./errors.js";
"""


def _never_opened(_: FastAPI) -> AbstractAsyncContextManager[Context]:
    raise RuntimeError("the app is only described, never run")


def openapi() -> str:
    """The OpenAPI document as JSON text."""
    app = create_app(_never_opened, Settings(), Metrics())
    return json.dumps(app.openapi(), indent=1, ensure_ascii=False) + "\n"


def service_errors() -> str:
    """A TypeScript module with a class for each error of the service."""
    errors = [error for error in all_errors() if error is not LookalikeError]
    table = "".join(f"  {error.code}: {error.__name__},\n" for error in errors)
    comment = "/** The class of each code. */"
    return (
        HEADER
        + "".join(map(_error_class, errors))
        + f"\n{comment}\nexport const errorClasses = {{\n{table}}};\n"
    )


def _error_class(error: type[LookalikeError]) -> str:
    name, parent = error.__name__, error.__bases__[0].__name__
    summary = (error.__doc__ or "").splitlines()[0]
    return (
        f"\n/** {error.status} `{error.code}`: {summary} */\n"
        f"export class {name} extends {parent} {{\n"
        f'  override readonly name: string = "{name}";\n'
        "}\n"
    )


def stale() -> list[str]:
    """The names of the files that are not what the service is today."""
    return [name for name, text in _files().items() if _read(HERE / name) != text]


def _files() -> dict[str, str]:
    return {"openapi.json": openapi(), "src/service-errors.ts": service_errors()}


def _read(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


def main() -> None:
    """Write the files; with --check, only say whether they are up to date."""
    if sys.argv[1:] == ["--check"]:
        if names := stale():
            raise SystemExit(f"{', '.join(names)}: not what the service is today; make typescript")
        return
    for name, text in _files().items():
        (HERE / name).write_text(text)


if __name__ == "__main__":
    main()
