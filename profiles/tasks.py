"""Drains and upkeep of the profiles app. PostgreSQL is the queue; a task only goes and looks."""

from __future__ import annotations

from celery import shared_task
from django.conf import settings
from django.db import transaction

from cdp.common.wake import wake
from profiles import partitions
from profiles.processing.drain import drain_inbox


@shared_task(name="profiles.process_inbox")
def process_inbox() -> int:
    """Process the inbox until it is empty; wake another run when the time is up first."""
    done, more = drain_inbox()
    if more:
        wake("profiles.process_inbox")
    return done


@shared_task(name="profiles.maintain_partitions")
def maintain_partitions() -> int:
    """Make the partitions of the coming days and months; drop raw bodies past their time."""
    with transaction.atomic():
        made = partitions.make_ahead()
    with transaction.atomic():
        partitions.drop_old_days(keep_days=settings.RAW_RETENTION_DAYS)
    return made
