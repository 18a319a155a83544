"""The project's own task: beat sends it to every kind of worker, so that one which hears nothing knows it is deaf."""

from __future__ import annotations

from celery import shared_task

from cdp.processes.kinds import PING


@shared_task(name=PING)
def heartbeat() -> None:
    """Do nothing: that it came is noted by the watchdog."""
