"""Scripts of the npm packages in clients/."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CLIENTS = Path(__file__).parents[1] / "clients"


def run_script(package: str, *arguments: str, install: str, **environment: str) -> str:
    """What an npm script of a package prints; skips where it cannot be run, saying what to `install`."""
    program = shutil.which("npm")
    if program is None:
        pytest.skip("npm is not installed")
    if not (CLIENTS / package / "node_modules").is_dir():
        pytest.skip(f"the packages of clients/{package} are not installed: {install}")
    ran = subprocess.run(
        [program, "run", "--silent", *arguments],
        cwd=CLIENTS / package,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout
