"""Lines of several processes in one terminal. A terminal that is gone must not take anything along."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable
from typing import IO

COLOURS = {"run": "1", "work": "1", "web": "36", "beat": "33", "mailbox": "35", "demo": "34"}
_WORKERS = "32"


class Output:
    """Where the lines go. When nobody reads any more, `on_broken` is called once and further lines are dropped."""

    def __init__(self, stream: IO[str] | None = None, on_broken: Callable[[], None] = lambda: None) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._broken = False
        self.on_broken = on_broken

    def write(self, name: str, line: str) -> None:
        """Write one whole line under the name of a process; never raise."""
        out = self._stream or sys.stdout
        if self._broken or out is None:  # Python has no stdout when it was closed from the beginning
            return
        label = f"{name:>8} | "
        try:
            if out.isatty():
                label = f"\033[{COLOURS.get(name, _WORKERS)}m{label}\033[0m"
            with self._lock:
                out.write(f"{label}{line}\n")
                out.flush()
        except (OSError, ValueError):
            self._break(out)

    def _break(self, out: IO[str]) -> None:
        self._broken = True
        # What is still in the buffer would fail once more when Python ends.
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())
        self.on_broken()


output = Output()


def say(name: str, line: str) -> None:
    """Write one line to this program's terminal."""
    output.write(name, line)
