"""`lookalike serve`: the service in one process, with no port but its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def serve(  # noqa: PLR0917 - typer reads the options off the signature
    host: Annotated[
        str | None, typer.Option(help="Address to listen on [default: 127.0.0.1].")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on [default: 3000].")] = None,
    data: Annotated[
        Path | None, typer.Option(help="Folder of the embedded store [default: lookalike-data].")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Encoder [default: timm:tf_efficientnet_lite0].")
    ] = None,
    qdrant_url: Annotated[
        str | None, typer.Option(help="Use this Qdrant server instead of the embedded store.")
    ] = None,
    exposed: Annotated[
        bool | None,
        typer.Option(
            "--open", help="Answer without API keys: something in front authenticates callers."
        ),
    ] = None,
    log_format: Annotated[str | None, typer.Option(help="text or json [default: text].")] = None,
) -> None:
    """Run the service: embeddings, explanations, search, clusters and maps over HTTP.

    Without API keys (`lookalike keys new`, LOOKALIKE_API_KEYS_FILE) it listens on this machine alone.

    Every option is also a LOOKALIKE_* variable (LOOKALIKE_PORT, LOOKALIKE_DATA, ...); options win.
    """
    options = {
        "HOST": host, "PORT": port, "DATA": data, "MODEL": model, "QDRANT_URL": qdrant_url,
        "LOG_FORMAT": log_format, "OPEN": exposed,
    }  # fmt: skip
    os.environ.update({f"LOOKALIKE_{k}": str(v) for k, v in options.items() if v is not None})
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
    run()


def run() -> None:
    """Serve with the settings of the environment until a signal comes."""
    # Imported late: torch and BentoML take seconds, and `--help` needs neither.
    import structlog  # noqa: PLC0415
    from pydantic import ValidationError  # noqa: PLC0415

    from lookalike_service import logs  # noqa: PLC0415
    from lookalike_service.access.exposure import check_address  # noqa: PLC0415
    from lookalike_service.access.keyring import open_keyring  # noqa: PLC0415
    from lookalike_service.environment import unfit_values, unknown_names  # noqa: PLC0415
    from lookalike_service.errors import InvalidField  # noqa: PLC0415
    from lookalike_service.port import check_free  # noqa: PLC0415
    from lookalike_service.settings import get_settings  # noqa: PLC0415

    try:
        settings = get_settings()
    except ValidationError as error:
        for line in unfit_values(error):
            typer.echo(line, err=True)
        raise typer.Exit(2) from error
    logs.configure(settings.log_format, secrets=settings.secrets)
    logs.log_uncaught()
    for what, todo in unknown_names(os.environ):
        structlog.get_logger(__name__).warning(f"{what}: {todo}")
    try:
        check_address(settings, has_keys=open_keyring(settings) is not None)
    except InvalidField as error:
        typer.echo(f"lookalike serve: {error.detail}", err=True)
        raise typer.Exit(2) from error
    try:
        check_free(settings.host, settings.port)
    except OSError as error:
        where = f"port {settings.port} of {settings.host}"
        typer.echo(f"lookalike serve: {where}: {error.strerror}; see --port and --host", err=True)
        raise typer.Exit(2) from error
    from lookalike_service import http_server  # noqa: PLC0415
    from lookalike_service.app import Lookalike  # noqa: PLC0415

    app = Lookalike.to_asgi()  # type: ignore[attr-defined] # the decorator makes it a Service
    http_server.run(app, settings)
