"""A file per process that says "I turned" without a database: `VAR_DIR/run/<name>.<pid>.alive`.

Its time of change holds `time.monotonic()`, which all processes of a machine share and no clock correction moves. A
change of that time needs no room, so that a full disk does not make everybody look dead.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

SUFFIX = ".alive"
#: how often a process writes, and after how long without it counts as silent
INTERVAL = 2.0
SILENT_SECONDS = float(os.environ.get("SILENT_SECONDS") or 30)


@dataclass(frozen=True)
class Sign:
    """The last sign of a process."""

    name: str
    pid: int
    path: Path
    at: float  # time.monotonic() of that process, comparable on one machine


def folder_of(var_dir: Path) -> Path:
    """Return the folder of the files."""
    return var_dir / "run"


class HeartbeatFile:
    """This process's own file."""

    def __init__(self, var_dir: Path, name: str) -> None:
        folder = folder_of(var_dir)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = folder / f"{name}.{os.getpid()}{SUFFIX}"

    def beat(self) -> None:
        """Say that the process is at work now."""
        now = time.monotonic()
        with contextlib.suppress(OSError):  # a file that cannot be written makes us look silent: others act on that
            try:
                os.utime(self.path, (now, now))
            except FileNotFoundError:
                self.path.touch(mode=0o600)
                os.utime(self.path, (now, now))

    def remove(self) -> None:
        """Take the file away: the process ends in good order."""
        with contextlib.suppress(OSError):
            self.path.unlink()


async def keep_beating(file: HeartbeatFile) -> None:
    """Beat from an event loop: a loop that stands still falls silent."""
    while True:
        file.beat()
        await asyncio.sleep(INTERVAL)


def signs_in(var_dir: Path) -> Iterator[Sign]:
    """Return the signs of processes that exist; clear away those of processes that are gone."""
    for path in folder_of(var_dir).glob(f"*{SUFFIX}"):
        name, _dot, pid = path.name.removesuffix(SUFFIX).rpartition(".")
        try:
            at = path.stat().st_mtime
            if psutil.pid_exists(int(pid)):
                yield Sign(name, int(pid), path, at)
            else:
                path.unlink()
        except (OSError, ValueError):
            continue
