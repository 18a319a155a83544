"""Which processes are the server of one data folder. A number in a file says nothing: numbers are given out again."""

from __future__ import annotations

import contextlib
import signal
import time
from pathlib import Path

import psutil

#: after a fast shutdown was asked for; after an immediate one; after SIGKILL
STOP_STEPS = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 10.0))
#: the children of a killed postmaster notice its death at their next wait; until then they hold its shared memory
ORPHAN_SECONDS = 10.0


def postmaster_of(data: Path) -> psutil.Process | None:
    """Return the server that works in `data`; None when postmaster.pid is missing or names somebody else's process."""
    try:
        process = psutil.Process(int((data / "postmaster.pid").read_text(encoding="ascii").split("\n", 1)[0]))
    except (OSError, ValueError, psutil.NoSuchProcess):
        return None
    return process if works_in(process, data) else None


def processes_of(data: Path) -> list[psutil.Process]:
    """Return every PostgreSQL process that works in `data`, the children of a dead server included."""
    return [process for process in psutil.process_iter() if works_in(process, data)]


def works_in(process: psutil.Process, data: Path) -> bool:
    """Tell whether this is PostgreSQL at work in `data`: each of its processes has that as its working folder."""
    try:
        return Path(process.exe()).name.startswith("postgres") and Path(process.cwd()) == data.resolve()
    except (psutil.Error, OSError):
        return False  # gone, or another user's, and so not ours


def stop(process: psutil.Process, data: Path) -> bool:
    """Stop the server of `data`: fast, then immediately (it recovers at the next start), then by force."""
    for number, patience in STOP_STEPS:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.send_signal(number)  # psutil makes sure first that the number is still the same process
        if _gone([process], data, patience):
            return True
    return False


def clear_stale_locks(data: Path, socket: Path) -> None:
    """Remove the lock files of a dead server, once none of its children is left.

    PostgreSQL believes any process that bears the number in them to be a server, and does not start.
    """
    orphans = processes_of(data)
    if not _gone(orphans, data, ORPHAN_SECONDS):
        for orphan in orphans:
            with contextlib.suppress(psutil.NoSuchProcess):
                orphan.kill()
        _gone(orphans, data, ORPHAN_SECONDS)
    for path in (data / "postmaster.pid", socket, socket.with_name(socket.name + ".lock")):
        path.unlink(missing_ok=True)


def _gone(processes: list[psutil.Process], data: Path, seconds: float) -> bool:
    """Wait until none of them works in `data`. A dead one that nobody has reaped yet counts as gone."""
    end = time.monotonic() + seconds
    while any(works_in(process, data) for process in processes):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True
