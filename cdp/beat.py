"""Celery beat's scheduler: one at a time, however many run, with a sign of life."""

from __future__ import annotations

import logging
import time
from typing import Any

import psycopg
from django.db import connection
from django_celery_beat.schedulers import DatabaseScheduler

from cdp.broker.options import connection_string
from cdp.health.heartbeats import BEAT, beat_once
from cdp.schedules import Entry

logger = logging.getLogger(__name__)

#: session lock that the one acting beat holds; any constant that nothing else in this database uses
LOCK_KEY = 0x6B62_6265_6174
#: seconds until a spare beat looks again
SPARE_SECONDS = 5.0
HEARTBEAT_SECONDS = 10.0


class SingleScheduler(DatabaseScheduler):  # type: ignore[misc]  # the library has no types
    """Fire schedules only while holding a lock in PostgreSQL: a second beat waits, and takes over in time."""

    Entry = Entry

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._lock: psycopg.Connection[Any] | None = None
        self._beaten = 0.0
        super().__init__(*args, **kwargs)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Fire what is due and return the seconds until the next time."""
        if not self._hold_lock():
            return SPARE_SECONDS
        if time.monotonic() - self._beaten >= HEARTBEAT_SECONDS:
            beat_once(BEAT)
            self._beaten = time.monotonic()
        return min(float(super().tick(*args, **kwargs)), HEARTBEAT_SECONDS)

    def close(self) -> None:
        """Let the lock go, so that a spare takes over at once."""
        super().close()
        if self._lock is not None:
            self._lock.close()

    def _hold_lock(self) -> bool:
        """Tell whether this process holds the lock; take it when it is free. A lost connection loses the lock."""
        try:
            if self._lock is not None:
                self._lock.execute("SELECT 1")
                return True
            fresh = psycopg.connect(connection_string(connection.settings_dict), autocommit=True)
            row = fresh.execute("SELECT pg_try_advisory_lock(%s)", [LOCK_KEY]).fetchone()
            if row and row[0]:
                self._lock = fresh
                logger.info("beat holds the lock and fires the schedules")
                return True
            fresh.close()
        except psycopg.Error as error:
            logger.warning("beat cannot reach PostgreSQL: %s", error)
            self._lock = None
        return False
