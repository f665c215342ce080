"""Python, and the versions of packages against those that the distribution asks for."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import lookalike_service
from lookalike_service.doctor.finding import Finding, Surroundings, ok, problem, skipped, warning

DISTRIBUTION = "lookalike"
EXTRAS = ("indexer", "service", "otel")


def python(_: Surroundings) -> Iterator[Finding]:
    """The interpreter against what the distribution was made for."""
    running = ".".join(map(str, sys.version_info[:3]))
    wanted = metadata.metadata(DISTRIBUTION)["Requires-Python"]
    if SpecifierSet(wanted).contains(running, prereleases=True):
        yield ok("python", f"{running} at {sys.executable}")
    else:
        yield problem("python", f"{running} is not {wanted}", "install into another interpreter")


def packages(_: Surroundings) -> Iterator[Finding]:
    """What each extra needs: installed, and in a version that will do."""
    yield from _of("base", _requirements(None))
    for extra in EXTRAS:
        yield from _of(extra, _requirements(extra))


def _requirements(extra: str | None) -> list[Requirement]:
    found = [Requirement(line) for line in metadata.requires(DISTRIBUTION) or ()]
    if extra is None:
        return [r for r in found if r.marker is None or r.marker.evaluate({"extra": ""})]
    return [
        r
        for r in found
        if r.marker and r.marker.evaluate({"extra": extra}) and not r.marker.evaluate({"extra": ""})
    ]


def _of(extra: str, requirements: list[Requirement]) -> Iterator[Finding]:
    """One finding per package that will not do, or one for all."""
    check = f"packages: {extra}"
    source = DISTRIBUTION if extra == "base" else f"{DISTRIBUTION}[{extra}]"
    install = f"pip install '{source}=={metadata.version(DISTRIBUTION)}'"
    installed = {r.name: _version(r.name) for r in requirements}
    missing = [name for name, version in installed.items() if version is None]
    if len(missing) > len(installed) / 2:
        yield skipped(check, f"the extra is not installed; {install}")
        return
    wrong = [
        problem(check, f"{r.name} {version} is installed, {r.specifier} is needed", install)
        for r in requirements
        if (version := installed[r.name]) and not r.specifier.contains(version, prereleases=True)
    ]
    yield from wrong
    if missing:
        yield problem(check, f"not installed: {', '.join(missing)}", install)
    elif not wrong:
        yield ok(check, f"in versions that will do ({len(installed)})")


def torch(_: Surroundings) -> Iterator[Finding]:
    """Torchvision is compiled for one version of torch, and with another fails where it is used first."""
    torch, vision = _version("torch"), _version("torchvision")
    if torch is None or vision is None:
        yield skipped("torch", "torch or torchvision is not installed")
        return
    wanted = next(
        (
            r.specifier
            for r in map(Requirement, metadata.requires("torchvision") or ())
            if r.name == "torch"
        ),
        SpecifierSet(),
    )
    if wanted.contains(torch.partition("+")[0], prereleases=True):
        yield ok("torch", f"{torch} with torchvision {vision}")
    else:
        yield problem(
            "torch",
            f"torchvision {vision} is made for torch{wanted}; {torch} is installed",
            "install both in one command, from one index: pip install --upgrade torch torchvision",
        )


def traces(surroundings: Surroundings) -> Iterator[Finding]:
    """An exporter, where traces are asked for."""
    if surroundings.settings is None:
        yield skipped("traces", "no settings to look at")
    elif not surroundings.settings.traces:
        yield ok("traces", "off")
    elif _version("opentelemetry-exporter-otlp-proto-http") is None:
        todo = "pip install 'lookalike[otel]', or set LOOKALIKE_TRACES=false"
        yield warning("traces", "on, but nothing is installed that would send them", todo)
    else:
        yield ok("traces", "on")


def page(_: Surroundings) -> Iterator[Finding]:
    """The web page, which is built before it is packed."""
    folder = Path(lookalike_service.__file__).parent / "ui"
    if any(folder.rglob("*.html")):
        yield ok("page", "packed")
    else:
        todo = "install a released package; in a checkout, build it: see CONTRIBUTING.md"
        yield warning("page", f"no web page in {folder}", todo)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
