"""A file per process that says "I turned" without a database: `VAR_DIR/run/<machine>/<name>.<pid>.<start>.alive`.

The start of the process is in its name, because its number is given out again; machines may share a VAR_DIR.

Its time of change holds `time.monotonic()`, which all processes of a machine share and no clock correction moves. A
change of that time needs no room, so that a full disk does not make everybody look dead.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

SUFFIX = ".alive"
#: environment variable by which a supervisor tells its children the machine's name, which may change meanwhile
MACHINE_VARIABLE = "KLANTBEELD_MACHINE"
MACHINE = os.environ.get(MACHINE_VARIABLE) or socket.gethostname() or "localhost"
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
    """Return this machine's folder of the files."""
    return var_dir / "run" / MACHINE


def start_of(pid: int) -> str:
    """Return when a process began, in a form that no correction of the clock changes; empty when there is none."""
    try:
        if sys.platform == "linux":
            # Fields 3 (state) and 22 (ticks since the machine's start); the second is a name in brackets.
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
            return "" if stat[0] == "Z" else stat[19]
        return str(round(psutil.Process(pid).create_time() * 1000))
    except (OSError, IndexError, psutil.Error):
        return ""


class HeartbeatFile:
    """This process's own file."""

    def __init__(self, var_dir: Path, name: str) -> None:
        folder = folder_of(var_dir)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = folder / f"{name}.{os.getpid()}.{start_of(os.getpid())}{SUFFIX}"

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
        try:
            name, pid, start = path.name.removesuffix(SUFFIX).split(".")
            at = path.stat().st_mtime
            if start_of(int(pid)) == start:
                yield Sign(name, int(pid), path, at)
            else:
                path.unlink()
        except (OSError, ValueError):
            continue
