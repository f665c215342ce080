"""docs/clients.md names all methods of both clients, and no others."""

from __future__ import annotations

import re
from pathlib import Path

from lookalike import Collection, Job, Lookalike

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "clients" / "typescript" / "src"
OF_A_CALL_ITSELF = {"close", "id", "send", "url"}


def columns() -> tuple[set[str], set[str]]:
    """The Python and the TypeScript names in the table of calls."""
    table = (ROOT / "docs" / "clients.md").read_text().partition("| call | Python |")[2]
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("| ")]
    python, typescript = (re.findall(r"`(\w+)`", " ".join(r[i] for r in rows)) for i in (1, 2))
    return set(python), set(typescript)


def test_the_python_methods_are_all_there() -> None:
    methods = {name for cls in (Lookalike, Collection, Job) for name in vars(cls) if name[0] != "_"}
    assert columns()[0] == methods - OF_A_CALL_ITSELF


def test_the_typescript_methods_are_all_there() -> None:
    text = "".join(
        (SOURCES / f"{name}.ts").read_text()
        for name in ("client", "collection", "comparing", "runs", "job")
    )
    methods = re.findall(r"^  (?:async )?\*?(\w+)\(", text, re.MULTILINE)
    assert columns()[1] == set(methods) - {"constructor"}
