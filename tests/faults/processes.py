"""Processes that a test starts, and ends again whatever happens. Nothing else is ever signalled."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]


@contextmanager
def process_of_our_own(
    command: Sequence[str], *, user: int | None = None, python: bool = False, **options: Any
) -> Iterator[subprocess.Popen[Any]]:
    """Run a command in a session of its own; kill the whole session at the end.

    `python` puts this interpreter in place of the first word.
    """
    words = [sys.executable, *command[1:]] if python else list(command)
    options = {"cwd": REPOSITORY, "stdin": subprocess.DEVNULL, **options}
    if user is not None and os.geteuid() == 0:
        options["user"] = user
    process: subprocess.Popen[Any] = subprocess.Popen(words, start_new_session=True, **options)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)
