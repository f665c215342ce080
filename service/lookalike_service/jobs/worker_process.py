"""The process that computes jobs; started by `worker.Worker`.

Reads (function, folder, parameters, context of log lines) from an inherited socket, says that it has
begun, runs the function on the folder's arrays and answers with progress, then with figures or an error.
Ends when its parent does.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import structlog

from lookalike_service import logs
from lookalike_service.errors import Internal, InvalidParameters, LookalikeError

log = structlog.get_logger(__name__)


def main() -> None:
    """Run `worker_process FD PARENT LOG-FORMAT`."""
    fd, parent = int(sys.argv[1]), int(sys.argv[2])
    logs.configure(sys.argv[3])
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    connection = Connection(fd)
    with suppress(EOFError, ConnectionError):
        while True:
            *task, context = connection.recv()
            connection.send("begun")
            with structlog.contextvars.bound_contextvars(**context):
                connection.send(_answer(connection, *task))


def _end_with(parent: int) -> None:
    """End in the middle of a computation too when the parent is gone."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _answer(
    connection: Connection, function: str, folder: str, parameters: dict[str, Any]
) -> tuple[str, Any]:
    def progress(stage: str, done: int, total: int | None) -> None:
        connection.send(("progress", (stage, done, total)))

    try:
        return "done", compute(function, Path(folder), parameters, progress)
    except LookalikeError as error:
        return "error", error
    except MemoryError:
        return "error", InvalidParameters("There is not enough memory for this; use fewer points.")
    except Exception as error:
        log.exception("computation failed", function=function)
        return "error", Internal(f"The computation failed: {type(error).__name__}: {error}")


def compute(function: str, folder: Path, parameters: dict[str, Any], progress: Any) -> Any:
    """Run `module:name` on `folder/*.npy`; its arrays go to `folder/out/*.npy`, its figures are returned."""
    module, _, name = function.partition(":")
    arrays = {path.stem: np.load(path, mmap_mode="r") for path in folder.glob("*.npy")}
    out, figures = getattr(importlib.import_module(module), name)(arrays, parameters, progress)
    (folder / "out").mkdir()
    for key, array in out.items():
        np.save(folder / "out" / key, array, allow_pickle=False)
    return figures


if __name__ == "__main__":
    main()
