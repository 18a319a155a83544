"""Celery beat's scheduler: one at a time by a lease, proof against clocks, and watched."""

from __future__ import annotations

import logging
import time
from typing import Any

from celery import Celery
from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django_celery_beat.schedulers import DatabaseScheduler

from cdp.health.heartbeats import BEAT, HEARTBEAT_SECONDS, WORKER_PREFIX, heartbeat_ages, record_heartbeat
from cdp.processes.heartbeat_file import HeartbeatFile
from cdp.processes.kinds import NAMES, PING, kind_of
from cdp.processes.lease import BEAT_LEASE, Lease
from cdp.processes.watchdog import Watchdog, start_activity
from cdp.schedules import Entry

logger = logging.getLogger(__name__)

#: seconds until a spare beat looks again, and until one that cannot reach the database does
SPARE_SECONDS = 3.0
#: a kind whose workers have been silent for so long is not woken: nobody would take it, and wake-ups would pile up
ABSENT_SECONDS = 120.0
#: the wall clock was set when it moved this much (seconds) against the one that only counts
CLOCK_SET = 2.0


class LeaseScheduler(DatabaseScheduler):  # type: ignore[misc]  # the library has no types
    """Fire schedules only while holding the lease: one that hangs loses it, and finds itself replaced when it wakes."""

    Entry = Entry

    def __init__(self, app: Celery, *args: Any, lazy: bool = False, **kwargs: Any) -> None:
        self.lease = Lease(BEAT_LEASE)
        self.activity = start_activity()
        self._heartbeat_at = float("-inf")
        self._clocks = time.time() - time.monotonic()
        self._present: frozenset[str] = frozenset()
        super().__init__(app, *args, lazy=lazy, **kwargs)
        if not lazy:
            self._file = HeartbeatFile(settings.VAR_DIR, BEAT)
            Watchdog(self.activity, self._file).start()

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Fire what is due and return the seconds until the next time."""
        self.activity.turn()
        try:
            if not self.lease.hold():
                return SPARE_SECONDS
            if time.monotonic() - self._heartbeat_at >= HEARTBEAT_SECONDS:
                self._beat()
            self._mind_the_clock()
            return min(float(super().tick(*args, **kwargs)), SPARE_SECONDS)
        except (DatabaseError, InterfaceError) as error:
            logger.warning("beat cannot reach PostgreSQL: %s", str(error).strip())
            connection.close()
            return SPARE_SECONDS

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Send one wake-up, if this process still may and somebody is there to take it."""
        kind = entry.options.get("queue") or kind_of(entry.task).name
        if not self.lease.holds():
            logger.warning("beat lost its lease before it sent %s; the new holder sends it", entry.task)
        elif kind in self._present or kind not in NAMES:
            super().apply_entry(entry, producer=producer)

    def sync(self) -> None:
        """Save when each schedule last ran; a beat that was replaced leaves that to the new one."""
        if self.lease.holds():
            super().sync()

    def close(self) -> None:
        """Give the lease back, so that a spare takes over at once."""
        self.activity.stop()
        super().close()
        try:
            self.lease.release()
        except (DatabaseError, InterfaceError):
            logger.warning("beat could not give its lease back; it runs out by itself")
        self._file.remove()

    def _beat(self) -> None:
        """Say that beat is at work; see which workers are, and let each of them hear something."""
        record_heartbeat(BEAT, {"fence": self.lease.fence})
        self._heartbeat_at = time.monotonic()
        ages = heartbeat_ages()
        self._present = frozenset(
            name for name in NAMES if (age := ages[WORKER_PREFIX + name]) is not None and age <= ABSENT_SECONDS
        )
        try:
            for name in self._present:
                self.send_task(PING, queue=name, ignore_result=True, retry=False)
        except Exception:
            logger.warning("the broker takes no message", exc_info=True)

    def _mind_the_clock(self) -> None:
        """Plan anew when the wall clock was set: what was planned by the wrong one may lie a day ahead."""
        clocks = time.time() - time.monotonic()
        if abs(clocks - self._clocks) > CLOCK_SET:
            self._heap = None
        self._clocks = clocks
