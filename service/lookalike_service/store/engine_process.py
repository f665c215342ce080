"""The process that owns the embedded engine; started by `process.EngineProcess`.

Reads one pickled (method, arguments, keywords) at a time from an inherited socket that no other
process can reach, and answers (True, result) or (False, error). Ends when its parent does.
"""

from __future__ import annotations

import os
import pickle
import sys
import traceback
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from lookalike_service.errors import Internal, LookalikeError
from lookalike_service.store.edge_engine import EdgeEngine

_IDLE_SECONDS = 1.0


def main() -> None:
    """Run `engine_process FD PARENT FOLDER`."""
    fd, parent, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    engine = EdgeEngine(folder)
    try:
        serve(Connection(fd), engine, parent)
    finally:
        engine.close()


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
    except Exception as error:  # noqa: BLE001 (the binding raises nothing narrower)
        traceback.print_exc()
        reply = False, Internal(f"the embedded store failed in {method}: {error}")
    return pickle.dumps(reply, pickle.HIGHEST_PROTOCOL)


if __name__ == "__main__":
    main()
