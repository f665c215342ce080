"""The process that owns the embedded engine; started by `process.EngineProcess`.

Reads one pickled (method, arguments, keywords) at a time from an inherited socket that no other
process can reach, and answers (True, result) or (False, error). Ends when its parent does.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import pickle
import signal
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

import structlog

from lookalike_service import logs
from lookalike_service.errors import Internal, LookalikeError
from lookalike_service.store.edge_engine import EdgeEngine
from lookalike_service.store.options import EmbeddedOptions

log = structlog.get_logger(__name__)

_IDLE_SECONDS = 1.0
_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Run `engine_process`; only `process.EngineProcess` knows its arguments."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--options", type=json.loads, required=True)
    parser.add_argument("--log-format", required=True)
    parser.add_argument("--background", action="store_true")
    options = parser.parse_args()
    logs.configure(options.log_format)
    if options.background:
        _stay_behind(options.parent)
    engine = EdgeEngine(options.folder, options.labels, EmbeddedOptions(**options.options))
    try:
        serve(Connection(options.fd), engine, options.parent)
    finally:
        engine.close()


def _stay_behind(parent: int) -> None:
    """Take only the time others leave, and die at once with the thread that started this.

    A call of the binding may take minutes in which nothing of Python runs, so the kernel must see
    to it (Linux; elsewhere the process ends after its call).
    """
    os.nice(19)
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit("the parent is gone")


def serve(connection: Connection, engine: EdgeEngine, parent: int) -> None:
    """Answer until the other end is closed, by `close` or because the parent died."""
    with suppress(EOFError, ConnectionError):
        while True:
            if connection.poll(_IDLE_SECONDS):
                connection.send_bytes(answer(engine, connection.recv_bytes()))
            elif os.getppid() == parent:
                engine.flush()
            else:  # a fork of the parent still holds its end open
                return


def answer(engine: EdgeEngine, request: bytes) -> bytes:
    """Make the call; errors are answers too."""
    method, arguments, keywords = pickle.loads(request)  # noqa: S301 (from our own parent alone)
    try:
        reply = True, getattr(engine, method)(*arguments, **keywords)
    except LookalikeError as error:
        reply = False, error
    except Exception as error:
        log.exception("the embedded store failed", operation=method)
        reply = False, Internal(f"the embedded store failed in {method}: {error}")
    return pickle.dumps(reply, pickle.HIGHEST_PROTOCOL)


if __name__ == "__main__":
    main()
