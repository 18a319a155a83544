"""A process that hangs ends itself: `os._exit`, which nothing can hold up. Whoever minds it starts it again.

There is no pool whose locks a dying child could keep (each worker is one process with threads), and nothing is lost:
what it had claimed comes back when its lease runs out.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil

from cdp.processes.heartbeat_file import INTERVAL, HeartbeatFile

logger = logging.getLogger(__name__)

#: exit code of a process that gave itself up: a temporary failure, try again
GAVE_UP = 75
#: seconds without a turn of the main loop: while it works, and while it tries to reach the broker
SILENT_LOOP, SILENT_CONNECTING = 60.0, 600.0
#: seconds without any wake-up, although beat was there all that time and sends one every 10 s
DEAF = 120.0
MEMORY_EVERY = 10.0


@dataclass(frozen=True)
class Run:
    """A task at work. Times are of `time.monotonic()`."""

    task: str
    since: float
    longest: float


@dataclass
class Activity:
    """What the process does, written by its main loop and its tasks. Times are of `time.monotonic()`."""

    turned: float
    heard: float
    threads: int = 1
    connected: bool = False
    stopping_since: float | None = None
    runs: dict[str, Run] = field(default_factory=dict)
    #: since when beat has been seen at work without a break; None when it is not known to be
    beat_since: float | None = None

    def turn(self) -> None:
        """Note that the main loop came round."""
        self.turned = time.monotonic()
        self.connected = True

    def reconnect(self) -> None:
        """Note that the connection to the broker is being made."""
        self.turned = self.heard = time.monotonic()
        self.connected = False

    def stop(self) -> None:
        """Note that the process was asked to stop: it takes no more work and finishes what it has."""
        self.stopping_since = self.stopping_since or time.monotonic()

    def hear(self) -> None:
        """Note that a wake-up came."""
        self.heard = time.monotonic()


def start_activity() -> Activity:
    """Return the activity of a process that begins."""
    return Activity(turned=time.monotonic(), heard=time.monotonic())


def complaint(activity: Activity, now: float) -> str:
    """Return why the process should give itself up; empty while all is well."""
    for run in tuple(activity.runs.values()):
        if now - run.since > run.longest:
            return f"{run.task} has been at work for {now - run.since:.0f} s; it counts as hung after {run.longest:.0f}"
    if activity.stopping_since is not None:
        late = not activity.runs and now - activity.stopping_since > SILENT_LOOP
        return f"it was asked to stop {SILENT_LOOP:.0f} s ago and has nothing to do" if late else ""
    silent = now - activity.turned
    if silent > (SILENT_LOOP if activity.connected else SILENT_CONNECTING):
        return f"the main loop has not turned for {silent:.0f} s"
    if activity.beat_since is None or not activity.connected or len(activity.runs) >= activity.threads:
        return ""
    deaf = now - max(activity.heard, activity.beat_since)
    if deaf > DEAF:
        return f"no wake-up came for {deaf:.0f} s, though beat sends them"
    return ""


class Watchdog(threading.Thread):
    """Look at the activity every other second: beat while it is well, end the process when it is not.

    `max_bytes`: a process that grew beyond it is asked to end when its task is done; 0 for no limit.
    """

    def __init__(
        self,
        activity: Activity,
        heartbeat: HeartbeatFile,
        *,
        max_bytes: int = 0,
        give_up: Callable[[int], None] = os._exit,
    ) -> None:
        super().__init__(name="watchdog", daemon=True)
        self.activity = activity
        self.heartbeat = heartbeat
        self.max_bytes = max_bytes
        self.give_up = give_up
        self._measured = 0.0

    def run(self) -> None:
        """Watch until the process ends."""
        while True:
            self.look()
            time.sleep(INTERVAL)

    def look(self) -> None:
        """Look once."""
        now = time.monotonic()
        if reason := complaint(self.activity, now):
            # Not through logging, whose lock the hung thread may hold.
            sys.stderr.write(f"{self.heartbeat.path.stem}: gives up, to be started again: {reason}\n")
            self.heartbeat.remove()
            self.give_up(GAVE_UP)
        self.heartbeat.beat()
        if self.max_bytes and self.activity.stopping_since is None and now - self._measured > MEMORY_EVERY:
            self._measured = now
            self._end_when_too_large()

    def _end_when_too_large(self) -> None:
        used = psutil.Process().memory_info().rss
        if used > self.max_bytes:
            logger.warning("uses %d MB; it ends after the task at hand and is started anew", used // 2**20)
            self.activity.stop()
            os.kill(os.getpid(), signal.SIGTERM)
