"""Keep several processes running: start again who dies, replace who falls silent, end all in good order."""

from __future__ import annotations

import contextlib
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

import psutil

from cdp.processes.heartbeat_file import SILENT_SECONDS, HeartbeatFile, signs_in
from cdp.processes.output import output, say

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
#: a process that lived this long did start well: its next death is paused for shortly again
SETTLED_SECONDS = 60.0
#: after SIGTERM; then whatever still runs is killed. A killed worker loses nothing: its claims come back.
STOP_SECONDS = 10.0
#: a process that shows no sign so long after its start hangs in it
START_SECONDS = 120.0
LOOK_SECONDS = 0.2
#: looks in a row that must find a process silent: after a machine was asleep all look silent for a moment
SUSPICIONS = 15


@dataclass
class Child:
    """A process to keep running. `once`: it may end. `watched`: it shows signs of life (`heartbeat_file`)."""

    name: str
    command: Sequence[str]
    once: bool = False
    watched: bool = False
    process: subprocess.Popen[str] | None = None
    started: float = 0.0
    pause: float = FIRST_PAUSE
    due: float = 0.0
    done: bool = False
    suspicions: int = 0
    reader: threading.Thread | None = field(default=None, repr=False)


class Supervisor:
    """The children of one program. Call `look` often from the thread that made it."""

    def __init__(
        self,
        children: Sequence[Child],
        *,
        folder: Path,
        var_dir: Path,
        environment: Mapping[str, str],
        name: str = "run",
        stop_seconds: float = STOP_SECONDS,
    ) -> None:
        self.children = list(children)
        self.folder = folder
        self.var_dir = var_dir
        self.environment = {"MALLOC_ARENA_MAX": "2", "PYTHONUNBUFFERED": "1", **environment}
        self.name = name
        self.stop_seconds = stop_seconds
        self.stopping = threading.Event()
        self._sign = HeartbeatFile(var_dir, name)
        self._looks = 0

    def add(self, child: Child) -> None:
        """Take one more child in; it is started at the next look."""
        self.children.append(child)

    def stop_on_signals(self) -> None:
        """Let Ctrl-C, SIGTERM and a closed terminal end the loop instead of the program."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: self.stopping.set())
        output.on_broken = self.stopping.set

    def look(self) -> None:
        """Start what should run and does not; replace what is silent."""
        now = time.monotonic()
        if self._looks % 10 == 0:
            self._sign.beat()
        self._looks += 1
        signs = self._signs() if any(child.watched for child in self.children) else {}
        for child in self.children:
            if child.done:
                continue
            if child.process is None:
                if now >= child.due:
                    self._start(child)
            elif (code := child.process.poll()) is not None:
                self._ended(child, code, now)
            elif child.watched:
                self._watch(child, signs.get(child.process.pid), now)

    def run(self) -> None:
        """Look after the children until a signal asks to stop."""
        while not self.stopping.wait(LOOK_SECONDS):
            self.look()

    def stop(self) -> None:
        """End all children: ask first, then kill what does not go."""
        alive = [child for child in self.children if child.process is not None and child.process.poll() is None]
        for child in alive:
            assert child.process is not None
            with contextlib.suppress(ProcessLookupError):
                child.process.send_signal(signal.SIGTERM)
        end = time.monotonic() + self.stop_seconds
        for child in alive:
            assert child.process is not None
            try:
                child.process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                say(self.name, f"{child.name} does not stop; killing it")
            _kill_session(child.process.pid)  # also what it may have left behind
            child.process.wait()
        for child in self.children:
            if child.reader is not None:
                child.reader.join(1)
        self._sign.remove()

    def _start(self, child: Child) -> None:
        # A session of its own: Ctrl-C reaches us alone, and we end the children in good order.
        child.process = subprocess.Popen(
            [sys.executable, "-m", "cdp.processes.launch", str(os.getpid()), *child.command],
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
        child.suspicions = 0
        child.reader = threading.Thread(target=_show, args=(child.name, child.process.stdout), daemon=True)
        child.reader.start()

    def _ended(self, child: Child, code: int, now: float) -> None:
        assert child.process is not None
        _kill_session(child.process.pid)  # children of a killed web process would keep its port
        child.process = None
        if child.once:
            child.done = True
            if code:
                say(self.name, f"{child.name} ended with {describe(code)}; its last lines say why")
            return
        if now - child.started > SETTLED_SECONDS:
            child.pause = FIRST_PAUSE
        say(self.name, f"{child.name} ended with {describe(code)}; starting it again in {child.pause:.0f} s")
        child.due = now + child.pause
        child.pause = min(child.pause * 2, LONGEST_PAUSE)

    def _signs(self) -> dict[int, float]:
        """Return {session: its oldest sign}: each child has a session, in which its own children are too."""
        oldest: dict[int, float] = {}
        for sign in signs_in(self.var_dir):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                session = os.getsid(sign.pid)
                oldest[session] = min(sign.at, oldest.get(session, sign.at))
        return oldest

    def _watch(self, child: Child, sign: float | None, now: float) -> None:
        silent = now - sign > SILENT_SECONDS if sign is not None else now - child.started > START_SECONDS
        child.suspicions = child.suspicions + 1 if silent else 0
        if child.suspicions < SUSPICIONS:
            return
        assert child.process is not None
        say(
            self.name, f"{child.name} has shown no sign of life for {now - (sign or child.started):.0f} s; replacing it"
        )
        _kill_session(child.process.pid)


def describe(code: int) -> str:
    """Return an exit code in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"


def _kill_session(leader: int) -> None:
    """Kill a child and all that it started, in whatever process groups."""
    for process in psutil.process_iter():
        with contextlib.suppress(OSError):
            if os.getsid(process.pid) == leader:
                os.kill(process.pid, signal.SIGKILL)


def _show(name: str, stream: IO[str]) -> None:
    # To the end, also when nobody reads our own lines: a full pipe would stop the child.
    for line in stream:
        if text := line.rstrip():
            say(name, text)
