"""A worker's sign of life in the database, where other machines see it; and its look at beat and at the clock."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

from django.db import DatabaseError, InterfaceError, connection

from cdp.health.heartbeats import HEARTBEAT_SECONDS, SKEW_ALLOWED, WORKER_PREFIX, record_heartbeat
from cdp.processes.lease import BEAT_LEASE, held_for
from cdp.processes.watchdog import Activity

logger = logging.getLogger(__name__)

SKEW_LOGGED_EVERY = 600.0


class Reporter(threading.Thread):
    """Write the heartbeat of each kind that this worker serves, every few seconds.

    A thread of its own: while the database hangs, the watchdog must go on.
    """

    def __init__(self, activity: Activity, kinds: Sequence[str]) -> None:
        super().__init__(name="reporter", daemon=True)
        self.activity = activity
        self.kinds = kinds
        self._skew_logged = float("-inf")

    def run(self) -> None:
        """Report until the process ends."""
        while self.activity.stopping_since is None:
            try:
                self.report()
            except Exception as error:
                expected = isinstance(error, (DatabaseError, InterfaceError))
                logger.warning("could not report to the database: %s", str(error).strip(), exc_info=not expected)
                self.activity.beat_since = None
                connection.close()
            time.sleep(HEARTBEAT_SECONDS)
        connection.close()

    def report(self) -> None:
        """Write the heartbeats; note whether beat is at work."""
        at_work = [run.task for run in tuple(self.activity.runs.values())]
        for kind in self.kinds:
            skew = record_heartbeat(WORKER_PREFIX + kind, {"tasks": at_work})
            self._log_skew(skew)
        beat_for = held_for(BEAT_LEASE)
        self.activity.beat_since = None if beat_for is None else time.monotonic() - beat_for

    def _log_skew(self, skew: float) -> None:
        if abs(skew) > SKEW_ALLOWED and time.monotonic() - self._skew_logged > SKEW_LOGGED_EVERY:
            self._skew_logged = time.monotonic()
            logger.warning(
                "this machine's clock and the database's are %.1f s apart; let both follow a time server", skew
            )
