"""One line per event, as text for people or JSON for machines."""

from __future__ import annotations

import logging
import sys

import structlog


def configure(log_format: str, *, quiet: bool = False) -> None:
    """Send structlog and the standard library's logging to standard error in one format.

    `quiet` leaves out what is no warning, for commands that speak to people themselves.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
    ]
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING if quiet else logging.INFO)
    # bentoml logs its own start-up at info, in its own words.
    logging.getLogger("bentoml").setLevel(logging.WARNING)
    logging.getLogger("bentoml").handlers = []
    logging.getLogger("bentoml").propagate = True
