"""One line per event, as text for people or JSON for machines, from every library and process alike."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Sequence

import structlog

_REPLACED = "[secret]"
_format = "text"


def configure(log_format: str, *, quiet: bool = False, secrets: Sequence[str] = ()) -> None:
    """Send structlog, the standard library's logging and Python's warnings to standard error alike.

    `quiet` leaves out what is no warning, for commands that speak to people themselves. `secrets` are
    replaced wherever they would appear, also in other libraries' messages and in tracebacks.
    """
    global _format  # noqa: PLW0603 - child processes are told
    _format = log_format
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso"),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _WithoutSecrets(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendering(log_format),
            ],
        ).hiding(secrets)
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING if quiet else logging.INFO)
    logging.captureWarnings(True)
    # These send their lines out themselves, in their own words, and bentoml its start-up at info.
    for name in ("bentoml", "uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = True
    logging.getLogger("bentoml").setLevel(logging.WARNING)
    # A line each for every request, to a store, to a collector or to us.
    for name in ("httpx", "httpcore", "opentelemetry", "uvicorn.access"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # While a collector is away, one for each time that it is tried again.
    logging.getLogger("opentelemetry.exporter").setLevel(logging.ERROR)


def configured_format() -> str:
    """The format in use, for processes started from here."""
    return _format


def log_uncaught() -> None:
    """Log what ends a thread, or the process, as one event too."""

    def in_thread(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None:
            log = structlog.get_logger(__name__)
            log.error(
                "thread died", thread=getattr(args.thread, "name", None), exc_info=args.exc_value
            )

    threading.excepthook = in_thread


def _rendering(log_format: str) -> list[structlog.typing.Processor]:
    if log_format == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    return [
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    ]


class _WithoutSecrets(structlog.stdlib.ProcessorFormatter):
    """Replaces secrets in the finished line, wherever in it they came from."""

    _secrets: Sequence[str] = ()

    def hiding(self, secrets: Sequence[str]) -> _WithoutSecrets:
        self._secrets = [secret for secret in secrets if secret]
        return self

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        for secret in self._secrets:
            line = line.replace(secret, _REPLACED)
        return line
