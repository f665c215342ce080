"""The `lookalike` command: what can be said without its extra, and the way into it."""

from __future__ import annotations

import sys
from importlib.util import find_spec

_NEEDED = ("typer", "rich")


def main() -> None:
    """Run the command line; exit status 0, 1 for an error, 2 where nothing could be run."""
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        sys.stderr.write(
            f"lookalike: the command line needs {' and '.join(missing)}: "
            "pip install 'lookalike[indexer]'\n"
        )
        sys.exit(2)
    from lookalike_indexer.app import run  # noqa: PLC0415 - needs what was just looked for

    sys.exit(run(sys.argv[1:]))
