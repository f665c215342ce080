"""Run the benches named on the command line, or all of them, and print what they measured."""

from __future__ import annotations

import argparse
import importlib
import json
import os

BENCHES = (
    "startup",
    "encoders",
    "explanation",
    "throughput",
    "lone",
    "overhead",
    "overload",
    "soak",
    "memory",
    "store",
    "quantization",
    "clustering",
    "projection",
    "duplicates",
    "indexing",
    "page",
    "page_map",
)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("benches", nargs="*", choices=[*BENCHES, []], metavar="BENCH", default=[])
    parser.add_argument("--minutes", help="of `soak`")
    asked = parser.parse_args()
    if asked.minutes:
        os.environ["BENCH_SOAK_MINUTES"] = asked.minutes
    wanted = asked.benches or BENCHES
    for name in wanted:
        figures = importlib.import_module(f"bench.{name}").run()
        print(
            json.dumps({"bench": name} | {k: round(v, 4) for k, v in figures.items()}), flush=True
        )


if __name__ == "__main__":
    main()
