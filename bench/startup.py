"""How soon the service is ready, and how light the SDK is."""

from __future__ import annotations

import statistics
import subprocess
import sys

from bench.service import service

IMPORT = """
import sys, time
start = time.perf_counter()
import lookalike
print(time.perf_counter() - start)
"""


def run() -> dict[str, float]:
    starts = []
    for _ in range(4):
        with service() as (_, _, seconds):
            starts.append(seconds)
    imports = [
        float(
            subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, check=True).stdout
        )
        for _ in range(11)
    ]
    return {
        "start to ready, warm, s (target < 20)": statistics.median(starts[1:]),
        "import lookalike, s (target < 0.2)": statistics.median(imports[1:]),
    }
