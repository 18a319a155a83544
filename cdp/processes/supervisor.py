"""Keep several processes running in one terminal: prefixed lines, restarts with a growing pause, a clean end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

COLOURS = {"run": "1", "web": "36", "worker": "32", "beat": "33", "mailbox": "35", "demo": "34"}
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
#: a process that lived this long did start well: its next death is paused for shortly again
SETTLED_SECONDS = 60.0
#: after SIGTERM; then whatever still runs is killed. A killed worker loses nothing: its claims come back.
STOP_SECONDS = 8.0

_write_lock = threading.Lock()


def say(name: str, line: str, stream: IO[str] | None = None) -> None:
    """Write one whole line under the name of a process."""
    out = stream or sys.stdout
    label = f"{name:>8} | "
    if out.isatty():
        label = f"\033[{COLOURS.get(name, '0')}m{label}\033[0m"
    with _write_lock:
        out.write(f"{label}{line}\n")
        out.flush()


@dataclass
class Child:
    """A process to keep running; `once` ones may end."""

    name: str
    command: Sequence[str]
    once: bool = False
    process: subprocess.Popen[str] | None = None
    started: float = 0.0
    pause: float = FIRST_PAUSE
    due: float = 0.0
    done: bool = False
    reader: threading.Thread | None = field(default=None, repr=False)


class Supervisor:
    """Start children, show what they say, start those again that die, and stop them all."""

    def __init__(self, children: Sequence[Child], *, folder: Path, environment: Mapping[str, str]) -> None:
        self.children = list(children)
        self.folder = folder
        self.environment = dict(environment)
        self.stopping = threading.Event()

    def add(self, child: Child) -> None:
        """Take one more child in; it is started at the next look."""
        self.children.append(child)

    def stop_on_signals(self) -> None:
        """Let Ctrl-C and SIGTERM end the loop instead of the program."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: self.stopping.set())

    def look(self) -> None:
        """Start what should run and does not."""
        now = time.monotonic()
        for child in self.children:
            if child.done:
                continue
            if child.process is None:
                if now >= child.due:
                    self._start(child)
            elif (code := child.process.poll()) is not None:
                self._ended(child, code, now)

    def run(self) -> None:
        """Look after the children until a signal asks to stop."""
        while not self.stopping.wait(0.2):
            self.look()

    def stop(self) -> None:
        """End all children: ask first, then kill what does not go."""
        alive = [child for child in self.children if child.process is not None and child.process.poll() is None]
        for child in alive:
            _signal(child, signal.SIGTERM)
        end = time.monotonic() + STOP_SECONDS
        for child in alive:
            assert child.process is not None
            try:
                child.process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                say("run", f"{child.name} does not stop; killing it")
            _signal(child, signal.SIGKILL)  # also what it may have left behind in its group
            child.process.wait()
        for child in self.children:
            if child.reader is not None:
                child.reader.join(1)

    def _start(self, child: Child) -> None:
        # Its own session: Ctrl-C reaches us alone, and we end the children in good order.
        child.process = subprocess.Popen(
            child.command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        child.started = time.monotonic()
        child.reader = threading.Thread(target=_show, args=(child.name, child.process.stdout), daemon=True)
        child.reader.start()

    def _ended(self, child: Child, code: int, now: float) -> None:
        child.process = None
        if child.once:
            child.done = True
            if code:
                say("run", f"{child.name} ended with {describe(code)}; its last lines say why")
            return
        if now - child.started > SETTLED_SECONDS:
            child.pause = FIRST_PAUSE
        say("run", f"{child.name} ended with {describe(code)}; starting it again in {child.pause:.0f} s")
        child.due = now + child.pause
        child.pause = min(child.pause * 2, LONGEST_PAUSE)


def describe(code: int) -> str:
    """Return an exit code in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


def _signal(child: Child, number: signal.Signals) -> None:
    assert child.process is not None
    try:
        if number == signal.SIGKILL:
            os.killpg(child.process.pid, number)
        else:
            child.process.send_signal(number)
    except (ProcessLookupError, PermissionError):
        return


def _show(name: str, stream: IO[str]) -> None:
    for line in stream:
        if text := line.rstrip():
            say(name, text)
