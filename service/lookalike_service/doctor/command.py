"""`lookalike doctor`: runs all checks."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict
from importlib import import_module
from typing import Annotated

import typer

from lookalike_service.doctor.configuration import read_settings
from lookalike_service.doctor.finding import Check, Finding, Surroundings, problem, skipped

CHECKS = (
    "packages:python", "packages:packages", "packages:torch", "packages:traces", "packages:page",
    "configuration:access", "configuration:store",
    "machine:memory", "machine:cores", "machine:files", "machine:temporary", "machine:gpu",
    "weights:encoders",
    "data:folder", "data:lock", "data:version", "data:leftovers", "data:cache", "data:originals",
    "network:service", "network:qdrant",
)  # fmt: skip
"""`module:function` of every check, in the order they are told."""

_MARKS = {"ok": "ok     ", "warning": "warning", "problem": "PROBLEM", "skipped": "skipped"}
_DEFAULT_PORT = 3000


def doctor(
    url: Annotated[
        str | None,
        typer.Option(envvar="LOOKALIKE_URL", help="Address of the service.", show_default=False),
    ] = None,
    api_key: Annotated[
        str | None, typer.Option(envvar="LOOKALIKE_API_KEY", help="Key, if it asks for one.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON lines instead of text.")
    ] = False,
) -> None:
    """Check this installation: packages, settings, machine, data, service, and say what to do.

    Looks, and changes nothing. Run it with the settings of the service: in its environment, container or pod.
    Exit status 0 where there is no problem (warnings are none), else 1.
    """
    settings, findings = read_settings(os.environ)
    port = _DEFAULT_PORT if settings is None else settings.port
    address = (url or f"http://127.0.0.1:{port}").rstrip("/")
    surroundings = Surroundings(os.environ, settings, address, api_key)
    found = []
    for finding in (*findings, *examine(surroundings)):
        typer.echo(json.dumps(asdict(finding)) if as_json else _line(finding))
        found.append(finding.state)
    if not as_json:
        typer.echo(f"\n{found.count('problem')} problems, {found.count('warning')} warnings")
    raise typer.Exit(1 if "problem" in found else 0)


def examine(surroundings: Surroundings) -> Iterator[Finding]:
    """What every check finds; one that cannot run says why, and the others go on."""
    for place in CHECKS:
        module, _, name = place.partition(":")
        try:
            check: Check = getattr(import_module(f"lookalike_service.doctor.{module}"), name)
            yield from check(surroundings)
        except ImportError as error:
            yield skipped(f"{module}: {name}", f"an extra is not installed ({error})")
        except Exception as error:  # noqa: BLE001 - a sick installation may fail in any way
            yield problem(
                f"{module}: {name}", f"the check itself failed: {error!r}", "report this as a fault"
            )


def _line(finding: Finding) -> str:
    text = f"{_MARKS[finding.state]}  {finding.check}: {finding.what}"
    return text if finding.todo is None else f"{text}\n         → {finding.todo}"
