"""What beat and commits wake. A run works until its queue is empty, at most a minute, and wakes itself for more."""

from __future__ import annotations

from celery import shared_task

from campaigns.sending.drain import drain_sends as drain
from campaigns.sending.starting import start_due_campaigns
from cdp.common.wake import wake


@shared_task(name="campaigns.start_due", ignore_result=True)
def start_due() -> None:
    """Start campaigns whose hour has come, and see that sending goes on."""
    start_due_campaigns()
    wake("campaigns.drain_sends")


@shared_task(name="campaigns.drain_sends", ignore_result=True)
def drain_sends() -> None:
    """Send what is due."""
    if drain():
        wake("campaigns.drain_sends")
