"""Known vulnerabilities of what we depend on: Python by pip-audit, the TypeScript packages by npm.

python .ci/audit.py [--required]

A database that cannot be reached, or that finds nothing wrong with a version that is known to be vulnerable,
is not believed: that part is skipped, loudly, and fails with --required. Exit status 1 for a vulnerability.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SECONDS = 300
KNOWN_PYTHON = "jinja2==2.10"
KNOWN_NPM = {"lodash": "4.17.4"}
"""Vulnerable for years: what a database must know that is to be believed."""


@dataclass(frozen=True)
class Ran:
    """What a command said, and whether it found vulnerabilities."""

    output: str
    found: int | None
    """None: it could not tell."""


Run = Callable[[Sequence[str], Path], tuple[int, str]]


def run(command: Sequence[str], folder: Path) -> tuple[int, str]:
    """Exit status and what was written to standard output and error."""
    try:
        done = subprocess.run(  # noqa: S603 - commands of this file
            command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 127, str(error)
    return done.returncode, done.stdout + done.stderr


def audit_python(requirements: Path, service: str, run: Run = run) -> Ran:
    """The pinned versions in a requirements file, by one of pip-audit's databases."""
    command = [
        *(sys.executable, "-m", "pip_audit", "--strict", "--progress-spinner", "off"),
        *("--no-deps", "--disable-pip", "--desc", "off", "--vulnerability-service", service),
        *("--requirement", str(requirements)),
    ]
    status, output = run(command, ROOT)
    if status == 0:
        return Ran(output, 0)
    return Ran(output, 1 if "known vulnerabilit" in output else None)


def audit_npm(package: str, lock: str | None, run: Run = run) -> Ran:
    """The dependencies of a package.json, in the versions of its package-lock.json where there is one."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "package.json").write_text(package)
        if lock is not None:
            (folder / "package-lock.json").write_text(lock)
        run(["npm", "install", "--package-lock-only", "--no-audit", "--no-fund"], folder)
        _, output = run(["npm", "audit", "--json"], folder)
    start = output.find("{")
    try:
        report, _ = json.JSONDecoder().raw_decode(output[max(start, 0) :])
        return Ran(output, int(report["metadata"]["vulnerabilities"]["total"]))
    except (ValueError, KeyError, TypeError):
        return Ran(output, None)


def python_part(run: Run = run) -> Ran:
    """All Python dependencies, by the first database that knows what is known."""
    last = Ran("", None)
    for service in ("pypi", "osv"):
        with tempfile.TemporaryDirectory() as folder:
            known = Path(folder) / "known.txt"
            known.write_text(KNOWN_PYTHON + "\n")
            last = audit_python(known, service, run)
        if last.found:
            return audit_python(ROOT / "constraints.txt", service, run)
    return Ran(last.output, None)


def npm_part(folder: Path, run: Run = run) -> Ran:
    """One package's dependencies."""
    canary = audit_npm(json.dumps({"name": "known", "dependencies": KNOWN_NPM}), None, run)
    if not canary.found:
        return Ran(canary.output, None)
    lock = folder / "package-lock.json"
    own = lock.read_text() if lock.is_file() else None
    return audit_npm((folder / "package.json").read_text(), own, run)


def main(arguments: Sequence[str], run: Run = run) -> int:
    """Audit every part; the exit status."""
    packages = [file.parent for file in sorted(ROOT.glob("clients/*/package.json"))]
    parts = {"Python": python_part(run)}
    parts |= {str(folder.relative_to(ROOT)): npm_part(folder, run) for folder in packages}
    status = 0
    for name, part in parts.items():
        if part.found is None:
            print(f"AUDIT SKIPPED: {name}: no database of vulnerabilities answers here")
            print("\n".join(f"  {line:.160}" for line in part.output.strip().splitlines()[-3:]))
            status = max(status, int("--required" in arguments))
        elif part.found:
            print(f"{part.output}\nVULNERABLE: {name}")
            status = 1
        else:
            print(f"{name}: nothing known")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
