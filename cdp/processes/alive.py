"""`python -m cdp.processes.alive`: exit 0 when the processes of this machine or container show signs of life.

The liveness probe of a container with workers or beat. It loads no Django and asks no database: a database that is
away is no reason to restart workers.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from cdp.processes.heartbeat_file import SILENT_SECONDS, signs_in


def silent(var_dir: Path, names: Sequence[str], now: float) -> list[str]:
    """Return what is silent: each of `names` that shows no fresh sign, and every process whose sign is old."""
    ages: dict[str, list[float]] = {name: [] for name in names}
    for sign in signs_in(var_dir):
        if not names or sign.name in ages:
            ages.setdefault(sign.name, []).append(now - sign.at)
    if not ages:
        return ["no process at all"]
    return [
        f"{name}: last sign {max(found):.0f} s ago" if found else f"{name}: no sign"
        for name, found in ages.items()
        if not found or max(found) > SILENT_SECONDS
    ]


def main() -> None:
    """Look once."""
    parser = argparse.ArgumentParser(description="Tell whether the processes of this VAR_DIR are at work.")
    parser.add_argument("names", nargs="*", help="those that must be there, e.g. events; none: whatever there is")
    var_dir = Path(os.environ.get("VAR_DIR") or Path(__file__).resolve().parents[2] / "var").expanduser().resolve()
    if found := silent(var_dir, parser.parse_args().names, time.monotonic()):
        sys.exit("; ".join(found))


if __name__ == "__main__":
    main()
