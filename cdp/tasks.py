"""The project's own tasks: the ping, so that a worker which hears nothing knows it is deaf, and retention."""

from __future__ import annotations

from celery import shared_task

from cdp.common.journal.outbox import flush
from cdp.common.journal.restoring import may_work
from cdp.common.journal.upkeep import compact
from cdp.common.wake import wake
from cdp.processes.kinds import PING
from cdp.retention.engine import run_retention


@shared_task(name=PING)
def heartbeat() -> None:
    """Do nothing: that it came is noted by the watchdog."""


@shared_task(name="cdp.run_retention")
def retention() -> None:
    """Work on what this night has not removed yet; go on in a new run when time is up."""
    if run_retention():
        wake("cdp.run_retention")


@shared_task(name="cdp.keep_journal")
def keep_journal() -> None:
    """Write what waits for the journal, put a restored database in order, and keep the journal small."""
    if may_work():
        flush()
        compact()
