"""Which processes are ours: one supervisor per role and VAR_DIR, and a mark that all it starts inherit.

Numbers of processes are given out again, names are anybody's: the mark in a process's environment is neither. So a
start finds what an earlier one left behind when it was killed, and ends that and nothing else.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

from cdp.processes.heartbeat_file import MACHINE, MACHINE_VARIABLE, folder_of

#: environment variable of every process that a supervisor started
MARK = "KLANTBEELD_STARTED_BY"
KILL_SECONDS = 10.0
RUN = "run"


class AlreadyRunning(Exception):
    """Another supervisor has this role in this folder; `owner` says what it wrote about itself."""

    def __init__(self, owner: dict[str, Any]) -> None:
        super().__init__(f"already running as process {owner.get('pid', '?')}")
        self.owner = owner


class Ownership:
    """A role in a VAR_DIR, held for the life of this process: the kernel gives it back when we die."""

    def __init__(self, handle: int, mark: str, left_by: str) -> None:
        self._handle = handle
        self.mark = mark
        self._left_by = left_by

    @classmethod
    def take(cls, var_dir: Path, role: str, **about: Any) -> Ownership:
        """Take the role; raise AlreadyRunning when somebody has it. `about` is shown to who comes too late."""
        # `run` has its own PostgreSQL in the folder: one in all. Workers may be many, on machines that share a folder.
        folder = var_dir / "run" if role == RUN else folder_of(var_dir)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(folder / f"{role}.owner", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        before = _read(handle)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(handle)
            raise AlreadyRunning(before) from error
        before = _read(handle)  # the owner may have changed while we waited for nobody
        mark = secrets.token_hex(16)
        text = json.dumps({"pid": os.getpid(), "mark": mark, **about}).encode()
        os.ftruncate(handle, 0)
        os.pwrite(handle, text, 0)
        os.fsync(handle)
        return cls(handle, mark, str(before.get("mark") or ""))

    def environment(self) -> dict[str, str]:
        """Return the environment of processes that we start."""
        return {**os.environ, MARK: self.mark, MACHINE_VARIABLE: MACHINE}

    def end_leftovers(self) -> list[str]:
        """Kill what the last owner left behind; return the command lines."""
        return end_marked(self._left_by) if self._left_by else []

    def end_all(self) -> list[str]:
        """Kill whatever we started and still runs; return the command lines."""
        return end_marked(self.mark)

    def release(self) -> None:
        """Give the role back."""
        with contextlib.suppress(OSError):
            os.close(self._handle)


def end_marked(mark: str) -> list[str]:
    """Kill every process that bears the mark; return their command lines."""
    ended = []
    for process in list(marked(mark)):
        with contextlib.suppress(psutil.Error):
            ended.append(" ".join(process.cmdline()))
            process.kill()
    psutil.wait_procs(list(marked(mark)), timeout=KILL_SECONDS)
    return ended


def marked(mark: str) -> Iterator[psutil.Process]:
    """Return the processes that bear the mark, but for this one."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and process.environ().get(MARK) == mark:
                yield process


def listener_of(port: int) -> str:
    """Return who listens on a TCP port, e.g. "process 12, nginx"; empty when that cannot be known."""
    try:
        for found in psutil.net_connections("tcp"):
            if found.status == psutil.CONN_LISTEN and found.pid and found.laddr and found.laddr.port == port:
                return f"process {found.pid}, {psutil.Process(found.pid).name()}"
    except (psutil.Error, OSError):
        pass  # other systems show other users' sockets to root only
    return ""


def _read(handle: int) -> dict[str, Any]:
    try:
        found = json.loads(os.pread(handle, 4096, 0) or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
