"""Everything that is logged somewhere, in a process whose log is JSON; run by tests/unit/test_logs.py."""

from __future__ import annotations

import json
import logging
import sys
import threading
import warnings

import numpy as np
import structlog

from lookalike_service import logs
from lookalike_service.encoders.protocol import Pixels
from tests.fakes.encoder import POISON, SIZE, FakeEncoder
from tests.fakes.jobs import finished
from tests.fakes.jobs import runner as job_runner
from tests.fakes.service import fake_service
from tests.fakes.store import FakeStore
from tests.pictures import encoded, jpeg

SECRET = "hunter2-is-the-key"  # noqa: S105 - made up
JPEG = {"content-type": "image/jpeg"}


class LoggingEncoder(FakeEncoder):
    """Logs in the decode thread, as a library might."""

    def preprocess(self, rgb: Pixels) -> Pixels:
        structlog.get_logger("decoder").warning("decoding")
        return super().preprocess(rgb)


def requests() -> dict[str, str]:
    """Requests that fail, each in its way; the ids that the service answered with."""
    answered = {}
    with fake_service(LoggingEncoder()) as service:

        def send(name: str, method: str, path: str, *, id: str, data: bytes | None = None) -> None:
            headers = {**JPEG, "x-request-id": id}
            response = service.client.request(method, path, content=data, headers=headers)
            answered[name] = response.headers["x-request-id"]

        send("unknown", "GET", "/v1/collections/nowhere", id="unknown-1")
        send("spaces", "GET", "/v1/info", id="two words")
        send("long", "GET", "/v1/info", id="x" * 65)
        poison = encoded(np.broadcast_to(POISON, (SIZE, SIZE, 3)).copy(), "png")
        send("poison", "POST", "/v1/embed", id="poison-1", data=poison)
        send("decoded", "POST", "/v1/embed", id="decoded-1", data=jpeg())

        def fail() -> None:
            raise RuntimeError(f"cannot log in with {SECRET}")

        service.store.collections = fail  # type: ignore[assignment, method-assign] # a store that breaks
        send("broken", "GET", "/v1/collections", id="broken-1")
    return answered


def job() -> str:
    """A job whose computation fails in the computing process; its id."""

    def workflow(task: object) -> dict[str, object]:
        task.compute("lookalike_service.no_such_module:f", {})  # type: ignore[attr-defined] # a Task
        return {}

    with job_runner(FakeStore(), workflow) as jobs:
        return finished(jobs, jobs.submit("clustering", "pictures", {}).id).id


def main() -> None:
    logs.configure("json", secrets=[SECRET])
    logs.log_uncaught()
    answered = requests()
    answered["job"] = job()
    warnings.warn("careful", UserWarning, stacklevel=1)
    logging.getLogger("uvicorn.error").warning("from uvicorn with %s", SECRET)
    thread = threading.Thread(target=lambda: 1 / 0, name="doomed")
    thread.start()
    thread.join()
    json.dump(answered, sys.stdout)


if __name__ == "__main__":
    main()
