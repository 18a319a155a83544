"""`python -m bench [part ...]`: measure and print the table. Parts: collecting, processing, freshness, importing,
segmenting, sending, holding, attacks."""

from __future__ import annotations

import os
import platform
import sys
from importlib import import_module

from bench import dataset
from bench.figures import Figure, table

PARTS = ("collecting", "processing", "freshness", "importing", "segmenting", "sending", "holding", "attacks")


def main() -> int:
    """Measure the parts named on the command line, or all."""
    wanted = sys.argv[1:] or PARTS
    unknown = set(wanted) - set(PARTS)
    if unknown:
        sys.stderr.write(f"unknown part: {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}\n")
        return 2
    dataset.prepare()
    figures: list[Figure] = []
    try:
        for part in PARTS:
            if part in wanted:
                print(f"measuring {part} ...", flush=True)
                figures.extend(import_module(f"bench.{part}").measure())
    finally:
        dataset.finish()
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    print(f"\n{machine}; one run, perhaps a shared machine: read the ratios\n")
    print(table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
