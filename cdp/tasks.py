"""The project's own tasks: the ping, so that a worker which hears nothing knows it is deaf, and retention."""

from __future__ import annotations

from celery import shared_task

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
