"""Run the benches named on the command line, or all of them, and print what they measured."""

from __future__ import annotations

import importlib
import json
import sys

BENCHES = (
    "startup",
    "encoders",
    "explanation",
    "throughput",
    "memory",
    "store",
    "quantization",
    "clustering",
    "projection",
    "duplicates",
    "indexing",
    "page",
)


def main() -> None:
    wanted = sys.argv[1:] or BENCHES
    if unknown := set(wanted) - set(BENCHES):
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; there are: {', '.join(BENCHES)}")
    for name in wanted:
        figures = importlib.import_module(f"bench.{name}").run()
        print(
            json.dumps({"bench": name} | {k: round(v, 4) for k, v in figures.items()}), flush=True
        )


if __name__ == "__main__":
    main()
