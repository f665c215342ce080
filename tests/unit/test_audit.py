"""The audit of dependencies: what it finds fails, and what it cannot look up is said and not passed over."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit", ROOT / ".ci" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(__import__("sys").modules, "audit", module)  # its dataclass looks itself up
        spec.loader.exec_module(module)
    return module


class Tools:
    """pip-audit and npm over databases that know, do not know, or are not there."""

    def __init__(self, *, reachable: bool = True, knows: bool = True, ours: bool = False) -> None:
        self.reachable, self.knows, self.ours = reachable, knows, ours

    def __call__(self, command: Sequence[str], folder: Path) -> tuple[int, str]:
        if command[:2] == ["npm", "install"]:
            return 0, ""
        package = folder / "package.json"
        known = command[0] == "npm" and '"name": "known"' in package.read_text()
        own = not known if command[0] == "npm" else command[-1].endswith("constraints.txt")
        bad = self.ours if own else self.knows
        if not self.reachable:
            return 1, "405 Method Not Allowed"
        if command[0] == "npm":
            report: dict[str, Any] = {"metadata": {"vulnerabilities": {"total": int(bad)}}}
            return int(bad), "npm warn something\n" + json.dumps(report)
        return int(bad), "Found 1 known vulnerability in 1 package" if bad else "No known"


@pytest.mark.parametrize(
    ("tools", "statuses", "said"),
    [
        (Tools(), (0, 0), "Python: nothing known"),
        (Tools(ours=True), (1, 1), "VULNERABLE: Python"),
        (Tools(reachable=False), (0, 1), "AUDIT SKIPPED: Python"),
        (Tools(knows=False), (0, 1), "AUDIT SKIPPED: Python"),
        (Tools(knows=False, ours=True), (0, 1), "AUDIT SKIPPED: clients/typescript"),
    ],
    ids=["clean", "vulnerable", "unreachable", "a database that knows nothing", "nor is it believed"],
)  # fmt: skip
def test_what_the_audit_says(
    audit: ModuleType,
    capsys: pytest.CaptureFixture[str],
    tools: Tools,
    statuses: tuple[int, int],
    said: str,
) -> None:
    assert (audit.main([], tools), audit.main(["--required"], tools)) == statuses
    assert said in capsys.readouterr().out


def test_every_package_is_audited(audit: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    audit.main([], Tools())
    said = capsys.readouterr().out
    for package in ROOT.glob("clients/*/package.json"):
        assert f"{package.parent.relative_to(ROOT)}: nothing known" in said
